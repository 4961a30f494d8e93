// SPDX-License-Identifier: Apache-2.0
//
// Where a store is, as a person writes it.

package import Aleph
internal import Primitives
package import S3

/// Why a text does not name a store that this version can open.
package enum StoreURLError: Error, Equatable, Sendable {
    /// There is no text.
    case empty
    /// Neither an address nor a path from the root: a relative path would mean another place when
    /// the daemon reads it again from elsewhere.
    case relativePath
    /// A kind of store nobody has heard of.
    case unknownScheme(String)
    /// A `file:` address that names another machine; its folder must be mounted here.
    case foreignHost(String)
    /// An S3 address that makes no sense; the reason says why.
    case badS3(S3AddressError)
    /// An address of Aleph Cloud that makes no sense; the reason says why.
    case badAleph(AlephStoreAddressError)
    /// A mirror that is not of two stores, neither a mirror itself.
    case badMirror
    /// A percent sign without two hexadecimal digits, bytes that are not UTF-8, a NUL, or one of
    /// the characters `?` and `#`, which a `file:` address must write as `%3F` and `%23`.
    case malformed
}

extension StoreURLError: CustomStringConvertible {
    /// One sentence for a person.
    package var description: String {
        switch self {
        case .empty: "no store is named"
        case .relativePath: "a store is an absolute path or an address like file:///path"
        case .unknownScheme(let scheme): "no kind of store is called \(scheme)"
        case .foreignHost(let host):
            "a file address cannot name another machine (\(host)); mount its folder here"
        case .badS3(let reason): "\(reason)"
        case .badAleph(let reason): "\(reason)"
        case .badMirror: "a mirror names two different stores, neither of them a mirror"
        case .malformed: "the address is malformed"
        }
    }
}

/// Where a store is.
package indirect enum StoreURL: Hashable, Sendable {
    /// A folder, by its absolute path.
    case folder(path: String)
    /// A place in a bucket.
    case s3(S3Address)
    /// The Autonomi network, by its daemon.
    case autonomi(AutonomiAddress)
    /// Aleph Cloud, by its nodes.
    case aleph(AlephStoreAddress)
    /// Two stores with the same content, the nearer one first: `mirror:URL,URL`, where a comma
    /// within an address is written `%2C`.
    case mirror(StoreURL, StoreURL)

    /// Reads an absolute path, taken as it is, or an address: `file:`, whose escapes are resolved,
    /// `s3:`, `autonomi:`, `aleph:` or `mirror:`.
    ///
    /// - Source: RFC 8089 for `file:` addresses; `S3Address` for the others.
    package init(_ text: String) throws(StoreURLError) {
        guard !text.isEmpty else { throw .empty }
        if text.utf8.first == UInt8(ascii: "/") {
            guard !text.utf8.contains(0) else { throw .malformed }
            self = .folder(path: StoreURL.withoutTrailingSlashes(text))
            return
        }
        guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")),
            StoreURL.isScheme(text.utf8[..<colon])
        else { throw .relativePath }
        let scheme = text[..<colon].lowercased()
        let rest = text[text.utf8.index(after: colon)...]
        switch scheme {
        case "file": self = .folder(path: try StoreURL.path(ofFileAddress: rest))
        case "s3":
            do throws(S3AddressError) {
                self = .s3(try S3Address(afterScheme: rest))
            } catch {
                throw .badS3(error)
            }
        case "autonomi": self = .autonomi(try AutonomiAddress(rest))
        case "aleph":
            do throws(AlephStoreAddressError) {
                self = .aleph(try AlephStoreAddress(afterScheme: rest))
            } catch {
                throw .badAleph(error)
            }
        case "mirror": self = try StoreURL.mirror(rest)
        default: throw .unknownScheme(scheme)
        }
    }

    private static func mirror(_ rest: Substring) throws(StoreURLError) -> StoreURL {
        let parts = rest.split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count == 2 else { throw .badMirror }
        let first = try StoreURL(String(parts[0]))
        let second = try StoreURL(String(parts[1]))
        guard first != second else { throw .badMirror }
        for part in [first, second] {
            if case .mirror = part { throw .badMirror }
        }
        return .mirror(first, second)
    }

    /// The address of the store; `StoreURL(text)` is this again.
    package var text: String {
        switch self {
        case .s3(let address): address.text
        case .autonomi(let address): address.text
        case .aleph(let address): address.text
        case .mirror(let first, let second):
            "mirror:"
                + [first, second].map { $0.text.replacing(",", with: "%2C") }
                .joined(separator: ",")
        case .folder(let path):
            "file://"
                + path.utf8.map { byte in
                    let isPlain = StoreURL.isUnreserved(byte) || byte == UInt8(ascii: "/")
                    return isPlain
                        ? String(UnicodeScalar(byte)) : "%" + Hex.encode([byte]).uppercased()
                }.joined()
        }
    }

    /// - Parameter rest: what follows `file:`.
    private static func path(
        ofFileAddress rest: Substring
    ) throws(StoreURLError) -> String {
        var encoded = rest
        if rest.hasPrefix("//") {
            let authority = rest.dropFirst(2).prefix { $0 != "/" }
            guard authority.isEmpty || authority.lowercased() == "localhost" else {
                throw .foreignHost(String(authority))
            }
            encoded = rest[authority.endIndex...]
        }
        guard encoded.utf8.first == UInt8(ascii: "/") else { throw .relativePath }
        return withoutTrailingSlashes(try decode(encoded))
    }

    private static func decode(_ text: Substring) throws(StoreURLError) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8
        while let byte = rest.popFirst() {
            switch byte {
            case 0, UInt8(ascii: "?"), UInt8(ascii: "#"):
                throw .malformed
            case UInt8(ascii: "%"):
                let digits = rest.prefix(2)
                guard digits.count == 2,
                    let value = Hex.decode(String(decoding: digits, as: UTF8.self)),
                    value != [0]
                else { throw .malformed }
                bytes += value
                rest = rest.dropFirst(2)
            default:
                bytes.append(byte)
            }
        }
        guard let path = String(validating: bytes, as: UTF8.self) else { throw .malformed }
        return path
    }

    private static func withoutTrailingSlashes(_ path: String) -> String {
        let kept = path.utf8.lastIndex { $0 != UInt8(ascii: "/") }
        guard let kept else { return "/" }
        return String(path[...kept])
    }

    /// RFC 3986 §3.1.
    private static func isScheme(_ text: Substring.UTF8View) -> Bool {
        guard let first = text.first, isLetter(first) else { return false }
        return text.allSatisfy { byte in
            isLetter(byte) || isDigit(byte) || "+-.".utf8.contains(byte)
        }
    }

    /// RFC 3986 §2.3.
    private static func isUnreserved(_ byte: UInt8) -> Bool {
        isLetter(byte) || isDigit(byte) || "-._~".utf8.contains(byte)
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
