// SPDX-License-Identifier: Apache-2.0
//
// The version, in one place. CHANGELOG.md tells what is in it.

/// This program's version.
package enum Version {
    /// As semantic versioning writes it.
    package static let text = "0.1.0"
}
