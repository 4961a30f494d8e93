// SPDX-License-Identifier: Apache-2.0
//
// Where a store on S3 is, as a person writes it. Pure.
//
//   s3://BUCKET[/PREFIX][?endpoint=URL&region=NAME&style=path|virtual
//                        &profile=NAME|credentials=FILE&ca=FILE]

/// Why a text does not name a place on S3.
package enum S3AddressError: Error, Equatable, Sendable {
    /// No bucket, or none that a service would accept.
    case badBucket
    /// Two slashes in a row, or something else that is lost on the way.
    case badPrefix
    /// Not `http://host` or `https://host`, with a port or without.
    case badEndpoint
    /// A key, which would rest in configurations and process lists.
    case secretInAddress
    /// A parameter nobody knows.
    case unknownParameter(String)
    /// A parameter twice, without a value, or with one that makes no sense.
    case badParameter(String)
    /// `profile` and `credentials` at once.
    case twoCredentials
    /// A percent sign without two digits, or bytes that are not UTF-8.
    case malformed
}

extension S3AddressError: CustomStringConvertible {
    /// One sentence for a person.
    package var description: String {
        switch self {
        case .badBucket: "a bucket's name has 3 to 63 small letters, digits, dots and hyphens"
        case .badPrefix: "the path within the bucket has an empty part"
        case .badEndpoint: "the endpoint is not like https://host:port"
        case .secretInAddress:
            "keys do not belong in an address; put them into a file or the environment"
        case .unknownParameter(let name): "an S3 address has no parameter “\(name)”"
        case .badParameter(let name): "the parameter “\(name)” makes no sense"
        case .twoCredentials: "name a profile or a file of credentials, not both"
        case .malformed: "the address is malformed"
        }
    }
}

/// A bucket, a place in it, and how to reach it.
package struct S3Address: Hashable, Sendable {
    /// How a bucket is named to the server.
    package enum Style: String, Hashable, Sendable {
        /// In the path: `https://host/bucket/key`. What servers of one's own want.
        case path
        /// In the host's name: `https://bucket.host/key`. What AWS wants.
        case virtual
    }

    /// The bucket.
    package var bucket: String
    /// What all keys begin with, without slashes at its ends; empty for none.
    package var prefix: String
    /// `https://host:port`, without a path; nil for AWS.
    package var endpoint: String?
    /// The region that is signed for; nil to look in the profile and the environment.
    package var region: String?
    /// How the bucket is named; nil for `virtual` on AWS and `path` elsewhere.
    package var style: Style?
    /// The profile in `~/.aws`; nil for the usual one.
    package var profile: String?
    /// A file with the keys; nil for the usual places.
    package var credentialsFile: String?
    /// A file of certificates to trust beside the system's.
    package var certificateFile: String?

    /// The most bytes of a prefix: a key has 1024, and the rest is ours.
    package static let prefixSizeLimit = 768

    /// A place without anything special.
    package init(bucket: String, prefix: String = "") {
        self.bucket = bucket
        self.prefix = prefix
    }

    /// Reads what follows `s3:`.
    package init(afterScheme rest: Substring) throws(S3AddressError) {
        guard rest.hasPrefix("//") else { throw .malformed }
        let parts = rest.dropFirst(2).split(
            separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        guard !rest.utf8.contains(UInt8(ascii: "#")) else { throw .malformed }
        let place = parts[0]
        let host = place.prefix { $0 != "/" }
        guard !host.contains("@"), !host.contains(":") else { throw .secretInAddress }
        guard S3Address.isBucket(host) else { throw .badBucket }
        guard let path = PercentEncoding.decode(place.dropFirst(host.count)) else {
            throw .malformed
        }
        self.init(bucket: String(host), prefix: try S3Address.prefix(ofPath: path))
        if parts.count == 2 { try read(parameters: parts[1]) }
        if profile != nil, credentialsFile != nil { throw .twoCredentials }
    }

    /// The address; reading it gives this again.
    package var text: String {
        var text = "s3://" + bucket
        if !prefix.isEmpty { text += "/" + PercentEncoding.encode(prefix, keepsSlashes: true) }
        let parameters: [(String, String?)] = [
            ("endpoint", endpoint), ("region", region), ("style", style?.rawValue),
            ("profile", profile), ("credentials", credentialsFile), ("ca", certificateFile),
        ]
        var separator = "?"
        for (name, value) in parameters {
            guard let value else { continue }
            // A colon and a slash mean nothing special there, and people read them better.
            let escaped = value.split(separator: ":", omittingEmptySubsequences: false)
                .map { PercentEncoding.encode(String($0), keepsSlashes: true) }
                .joined(separator: ":")
            text += "\(separator)\(name)=\(escaped)"
            separator = "&"
        }
        return text
    }

    private mutating func read(parameters: Substring) throws(S3AddressError) {
        var seen: Set<String> = []
        for parameter in parameters.split(separator: "&") {
            let parts = parameter.split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            guard seen.insert(name).inserted else { throw .badParameter(name) }
            guard parts.count == 2, let value = PercentEncoding.decode(parts[1]), !value.isEmpty,
                value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
            else { throw .badParameter(name) }
            switch name {
            case "endpoint": endpoint = try S3Address.endpoint(value)
            case "region":
                guard value.utf8.allSatisfy({ $0 > 0x20 && $0 != UInt8(ascii: "/") }) else {
                    throw .badParameter(name)
                }
                region = value
            case "style":
                guard let known = Style(rawValue: value) else { throw .badParameter(name) }
                style = known
            case "profile": profile = value
            case "credentials": credentialsFile = try S3Address.path(value, name)
            case "ca": certificateFile = try S3Address.path(value, name)
            case "access_key", "access_key_id", "secret_key", "secret_access_key", "token",
                "session_token":
                throw .secretInAddress
            default: throw .unknownParameter(name)
            }
        }
    }

    /// A daemon reads the address again from elsewhere, so paths begin at the root.
    private static func path(_ value: String, _ name: String) throws(S3AddressError) -> String {
        guard value.hasPrefix("/") else { throw .badParameter(name) }
        return value
    }

    private static func prefix(ofPath path: String) throws(S3AddressError) -> String {
        var parts = path.split(separator: "/", omittingEmptySubsequences: false)
        if parts.first == "" { parts.removeFirst() }
        if parts.last == "" { parts.removeLast() }
        guard parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." }) else {
            throw .badPrefix
        }
        let prefix = parts.joined(separator: "/")
        guard prefix.utf8.count <= prefixSizeLimit, prefix.utf8.allSatisfy({ $0 >= 0x20 }) else {
            throw .badPrefix
        }
        return prefix
    }

    /// - Source: AWS's rules for bucket names, without those about what is reserved.
    private static func isBucket(_ name: Substring) -> Bool {
        let bytes = Array(name.utf8)
        func isPlain(_ byte: UInt8) -> Bool {
            (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte)
        }
        guard (3...63).contains(bytes.count), isPlain(bytes[0]), isPlain(bytes[bytes.count - 1])
        else { return false }
        return bytes.allSatisfy { isPlain($0) || "-.".utf8.contains($0) } && !name.contains("..")
    }

    private static func endpoint(_ value: String) throws(S3AddressError) -> String {
        guard let mark = value.firstRange(of: "://"),
            ["http", "https"].contains(value[..<mark.lowerBound].lowercased())
        else { throw .badEndpoint }
        var host = value[mark.upperBound...]
        if host.hasSuffix("/") { host = host.dropLast() }
        guard !host.contains("@") else { throw .secretInAddress }
        let marks = "-.:[]_".utf8
        let isHost =
            !host.isEmpty
            && host.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20)
                    || marks.contains(byte)
            }
        guard isHost else { throw .badEndpoint }
        return value[..<mark.lowerBound].lowercased() + "://" + host.lowercased()
    }
}
