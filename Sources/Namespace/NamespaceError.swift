// SPDX-License-Identifier: Apache-2.0
//
// What can be wrong with pages, roots and entries.

/// Why pages, roots or entries could not be read or written.
///
/// Messages are fixed sentences: never a name, a key or a content.
package enum NamespaceError: Error, Equatable, Sendable {
    /// The bytes break a rule of the format; the sentence says which.
    case malformed(String)
    /// Written by a newer Cairn, in a version this one does not know.
    case unsupportedVersion(Int)
    /// The chunk does not hash to the address of its reference.
    case wrongAddress
    /// The chunk is the right one but its key does not open it.
    case cannotOpen
    /// What was to be written is not allowed there; the sentence says why.
    case invalid(String)
    /// More bytes or items than the named limit.
    case tooLarge(limit: Int)
    /// The tree of pages contradicts itself: order, counts or depth; the sentence says which.
    case brokenTree(String)
}
