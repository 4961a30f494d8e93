// SPDX-License-Identifier: Apache-2.0
//
// Why bytes could not be encrypted or decrypted. Sentences are fixed: they never carry content.

/// Why self-encryption could not do what it was asked.
package enum SelfEncryptionError: Error, Hashable, Sendable {
    /// Fewer bytes than the format can encrypt. Such content belongs inline in its metadata.
    case tooSmall(minimum: Int)
    /// More than a named limit allows, in the limit's own unit: entries for a map to pack,
    /// bytes for content to decrypt whole.
    case tooLarge(limit: UInt64)
    /// The bytes are not a data map, or one that no encryption can have produced.
    case malformedMap(String)
    /// The bytes handed over for chunk `index` are not the ones the map describes.
    case corruptChunk(index: Int)
    /// Nobody had chunk `index`.
    case missingChunk(index: Int)
}
