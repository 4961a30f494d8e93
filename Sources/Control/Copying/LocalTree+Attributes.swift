// SPDX-License-Identifier: Apache-2.0
//
// Extended attributes of this machine's files, and which of them a copy carries.

internal import CLinux
import Glibc
package import Namespace

extension LocalTree {
    /// Longest list of attribute names, and longest value.
    ///
    /// - Source: Linux, XATTR_LIST_MAX and XATTR_SIZE_MAX.
    private static let attributeLimit = 65_536

    package func attributes(
        of name: [UInt8], in folder: Folder
    ) throws(TreeError) -> [ExtendedAttribute] {
        let size: Int
        var list = [CChar](repeating: 0, count: Self.attributeLimit)
        let number = folder.descriptor.number
        // SAFETY: the name is NUL-terminated, the list is ours, and its size is given.
        let listed = unsafe withCString(name) { pointer in
            unsafe cairn_xattr_list(number, pointer, &list, list.count)
        }
        guard listed >= 0 else {
            if errno == EOPNOTSUPP { return [] }
            throw .system(SystemError.last("listxattr"))
        }
        size = Int(listed)
        var found: [ExtendedAttribute] = []
        for part in list[..<size].split(separator: 0) {
            let attribute = part.map { UInt8(bitPattern: $0) }
            guard AttributeChoice.isOwn(attribute, isRoot: isRoot) else { continue }
            found.append(
                ExtendedAttribute(
                    name: attribute, value: try value(of: attribute, name, number)))
        }
        return found
    }

    private func value(
        of attribute: [UInt8], _ name: [UInt8], _ folder: Int32
    ) throws(TreeError) -> [UInt8] {
        var value = [UInt8](repeating: 0, count: Self.attributeLimit)
        // SAFETY: both names are NUL-terminated, the value is ours, and its size is given.
        let size = unsafe withCString(name) { pointer in
            unsafe withCString(attribute) { attribute in
                unsafe cairn_xattr_get(folder, pointer, attribute, &value, value.count)
            }
        }
        guard size >= 0 else { throw .system(SystemError.last("getxattr")) }
        return Array(value[..<Int(size)])
    }

    package func setAttribute(
        _ attribute: ExtendedAttribute, of name: [UInt8], in folder: Folder
    ) throws(TreeError) {
        // SAFETY: `call` lends a NUL-terminated name for the one system call.
        try unsafe call("setxattr", folder, name) { number, pointer in
            unsafe withCString(attribute.name) { key in
                let value = attribute.value
                return Int32(unsafe cairn_xattr_set(number, pointer, key, value, value.count))
            }
        }
    }
}

/// Which extended attributes a copy carries.
enum AttributeChoice {
    /// Those Cairn answers itself: they describe where the bytes rest, and cannot be set elsewhere.
    private static let virtualPrefixes = ["user.cairn.", "user.ipfs."].map { Array($0.utf8) }
    private static let userPrefix = Array("user.".utf8)

    /// - Parameter isRoot: who is not root may set only `user.` attributes.
    static func isOwn(_ name: [UInt8], isRoot: Bool) -> Bool {
        guard !virtualPrefixes.contains(where: name.starts(with:)) else { return false }
        return isRoot || name.starts(with: userPrefix)
    }
}
