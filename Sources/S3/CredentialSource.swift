// SPDX-License-Identifier: Apache-2.0
//
// Where keys come from. Looked for in this order, the first place that is named counts:
//
//   1. the file of the address's `credentials=`, section `default`
//   2. the profile of the address's `profile=`
//   3. AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
//   4. the profile AWS_PROFILE, or `default`
//
// Profiles are in AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials) and AWS_CONFIG_FILE
// (~/.aws/config). Programs that make keys (credential_process, single sign-on, a machine's own
// role) are not asked.

internal import Cryptography
package import Stores
internal import Synchronization

/// Keys that may change while the store is in use: whoever rotates them writes the file anew.
package final class CredentialSource: Sendable {
    private let address: S3Address
    private let surroundings: Surroundings
    private let current: Mutex<S3Credentials>
    /// The region that the address or its profile names.
    package let region: String

    /// What counts when nobody names a region.
    package static let defaultRegion = "us-east-1"

    /// Looks for the keys.
    ///
    /// - Throws: `refused`, with where they were looked for.
    package convenience init(_ address: S3Address) throws(StoreError) {
        try self.init(address, Surroundings.process)
    }

    init(_ address: S3Address, _ surroundings: Surroundings) throws(StoreError) {
        self.address = address
        self.surroundings = surroundings
        current = Mutex(try CredentialSource.find(address, surroundings))
        region = CredentialSource.region(address, surroundings)
    }

    /// The keys as they were last read.
    package var credentials: S3Credentials { current.withLock { $0 } }

    /// Keys other than those that were refused: what another request has found meanwhile, else what
    /// is there when it is looked for anew.
    ///
    /// - Parameter used: the keys that a request was signed with.
    /// - Returns: nil if there are no others.
    package func others(than used: S3Credentials) -> S3Credentials? {
        let known = credentials
        if known != used { return known }
        do throws(StoreError) {
            let found = try CredentialSource.find(address, surroundings)
            return current.withLock { current in
                // Who looked later knows better, and may have been faster.
                if current == used { current = found }
                return current == used ? nil : current
            }
        } catch {
            // A file that is being replaced, or is gone: the server's own refusal says more.
            let known = credentials
            return known == used ? nil : known
        }
    }

    private static func find(
        _ address: S3Address, _ surroundings: Surroundings
    ) throws(StoreError) -> S3Credentials {
        if let path = address.credentialsFile {
            return try keyFile(path, surroundings)
        }
        if let profile = address.profile { return try self.profile(profile, surroundings) }
        let key = surroundings.variable("AWS_ACCESS_KEY_ID")
        let secret = surroundings.variable("AWS_SECRET_ACCESS_KEY")
        if let key, let secret {
            let token = surroundings.variable("AWS_SESSION_TOKEN")
            return try made(key, secret, token, of: "the environment")
        }
        if key != nil || secret != nil {
            throw .refused(
                "of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY only one is in the environment")
        }
        if let profile = surroundings.variable("AWS_PROFILE") {
            return try self.profile(profile, surroundings)
        }
        do throws(StoreError) {
            return try profile("default", surroundings)
        } catch {
            throw .refused(
                "there are no keys for it: neither in the environment (AWS_ACCESS_KEY_ID,"
                    + " AWS_SECRET_ACCESS_KEY) nor in ~/.aws/credentials")
        }
    }

    private static func keyFile(
        _ path: String, _ surroundings: Surroundings
    ) throws(StoreError) -> S3Credentials {
        guard let file = surroundings.file(path) else {
            throw .refused("the file of its keys, “\(path)”, cannot be read")
        }
        guard !file.isOpenToOthers else {
            throw .refused("the file of its keys, “\(path)”, may be read by others (chmod 600)")
        }
        let text = IniText(file.text)
        guard let key = text["default", "access_key_id"] ?? text["default", "aws_access_key_id"],
            let secret = text["default", "secret_access_key"]
                ?? text["default", "aws_secret_access_key"]
        else {
            throw .refused(
                "the file of its keys, “\(path)”, has no access_key_id or no secret_access_key")
        }
        let token = text["default", "session_token"] ?? text["default", "aws_session_token"]
        return try made(key, secret, token, of: "the file “\(path)”")
    }

    private static func profile(
        _ name: String, _ surroundings: Surroundings
    ) throws(StoreError) -> S3Credentials {
        let (shared, configuration) = profiles(surroundings)
        let places = [(shared, name), (configuration, section(name))]
        for (text, section) in places {
            if let key = text?[section, "aws_access_key_id"],
                let secret = text?[section, "aws_secret_access_key"]
            {
                let token = text?[section, "aws_session_token"]
                return try made(key, secret, token, of: "the profile “\(name)”")
            }
        }
        let isThere = places.contains { $0.0?.has($0.1) == true }
        throw .refused(
            isThere
                ? "the profile “\(name)” has no aws_access_key_id or no aws_secret_access_key"
                : "there is no profile “\(name)” in ~/.aws")
    }

    /// In the configuration, every profile but the default one is called `profile NAME`.
    private static func section(_ profile: String) -> String {
        profile == "default" ? profile : "profile \(profile)"
    }

    private static func profiles(_ surroundings: Surroundings) -> (IniText?, IniText?) {
        func text(_ variable: String, _ name: String) -> IniText? {
            let usual = surroundings.variable("HOME").map { "\($0)/.aws/\(name)" }
            guard let path = surroundings.variable(variable) ?? usual else { return nil }
            return surroundings.file(path).map { IniText($0.text) }
        }
        return (
            text("AWS_SHARED_CREDENTIALS_FILE", "credentials"), text("AWS_CONFIG_FILE", "config")
        )
    }

    private static func region(_ address: S3Address, _ surroundings: Surroundings) -> String {
        if let region = address.region { return region }
        if address.profile == nil,
            let region = surroundings.variable("AWS_REGION")
                ?? surroundings.variable("AWS_DEFAULT_REGION")
        {
            return region
        }
        let profile = address.profile ?? surroundings.variable("AWS_PROFILE") ?? "default"
        return profiles(surroundings).1?[section(profile), "region"] ?? defaultRegion
    }

    private static func made(
        _ key: String, _ secret: String, _ token: String?, of place: String
    ) throws(StoreError) -> S3Credentials {
        let isPlain = [key, secret, token ?? ""].allSatisfy { text in
            text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
        }
        guard isPlain else { throw .refused("the keys of \(place) have blanks in them") }
        return S3Credentials(
            accessKey: key, secret: SecretBytes(Array(secret.utf8)), sessionToken: token)
    }
}
