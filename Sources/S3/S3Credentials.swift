// SPDX-License-Identifier: Apache-2.0
//
// The keys of an account. They are shown nowhere: not in texts, logs or a debugger's summary.

package import Cryptography

/// An access key with its secret.
package struct S3Credentials: Sendable, Equatable {
    /// The name of the key. No secret, but nobody's business either.
    package let accessKey: String
    /// What requests are signed with.
    package let secret: SecretBytes
    /// Goes along with keys that are valid for hours.
    package let sessionToken: String?

    /// Names the three.
    package init(accessKey: String, secret: SecretBytes, sessionToken: String? = nil) {
        self.accessKey = accessKey
        self.secret = secret
        self.sessionToken = sessionToken
    }
}

extension S3Credentials: CustomStringConvertible, CustomReflectable {
    /// Nothing of it.
    package var description: String { "keys" }
    /// Nothing of it.
    package var customMirror: Mirror { Mirror(self, children: []) }
}
