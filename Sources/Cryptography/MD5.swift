// SPDX-License-Identifier: Apache-2.0
//
// MD5, which protects nothing any more, and which S3 names objects' contents by.

/// MD5, for comparing with what others computed. Never where somebody could gain from two inputs
/// with one hash.
///
/// - Source: RFC 1321.
package enum MD5 {
    /// The 16 bytes of MD5 of `bytes`.
    package static func hash(_ bytes: [UInt8]) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: HashFunction.md5.size)
        var span = output.mutableSpan
        HashFunction.md5.hash(bytes.span, into: &span)
        return output
    }
}
