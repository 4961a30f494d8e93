// SPDX-License-Identifier: Apache-2.0
//
// What an entry may be. The same rules hold when writing, where breaking one is the caller's
// mistake, and when reading, where it is a hostile or broken page.

import Primitives
import SelfEncryption

extension Entry {
    /// The rule this entry breaks, as a fixed sentence; nil if it may stand in a page.
    ///
    /// - Parameter keys: whether the page is a directory's or the hard-link table's.
    package func fault(in keys: KeySpace) -> String? {
        guard keys.isValid(name) else { return "a name is not allowed" }
        guard (1...NamespaceLimits.maximumInode).contains(ino) else {
            return "an inode number is out of range"
        }
        if keys == .inodes {
            guard Entry.inode(ofHardLinkName: name) == ino else {
                return "a key of the hard-link table is not its inode number"
            }
            switch body {
            case .directory, .link, .pad: return "the hard-link table holds what has one name"
            case .regular, .symlink, .special: break
            }
        }
        guard linkCount >= 1 else { return "an inode has no name" }
        if case .link = body { return linkFault }
        return attributes.fault ?? body.fault ?? Self.fault(of: xattrs)
    }

    /// A link has nothing of its own, or one file would have two truths.
    private var linkFault: String? {
        attributes == .none && linkCount == 1 && xattrs.isEmpty
            ? nil : "a link carries attributes of its own"
    }

    private static func fault(of xattrs: [ExtendedAttribute]) -> String? {
        guard xattrs.count <= NamespaceLimits.maximumXattrCount else {
            return "too many extended attributes"
        }
        for (index, xattr) in xattrs.enumerated() {
            guard (1...NamespaceLimits.maximumXattrNameSize).contains(xattr.name.count),
                !xattr.name.contains(0)
            else { return "the name of an extended attribute is not allowed" }
            guard xattr.value.count <= NamespaceLimits.maximumXattrValueSize else {
                return "an extended attribute is too large"
            }
            guard index == 0 || bytesPrecede(xattrs[index - 1].name, xattr.name) else {
                return "extended attributes are not sorted"
            }
        }
        return nil
    }
}

extension FileAttributes {
    var fault: String? {
        guard mode & ~Self.modeMask == 0 else { return "a mode has more than permission bits" }
        // Whoever changes `nanoseconds` directly passes by the check in `Timestamp.init`.
        for time in [accessed, modified, changed, created]
        where time.nanoseconds >= Timestamp.nanosecondsPerSecond {
            return "nanoseconds make a second"
        }
        return nil
    }
}

extension Body {
    var fault: String? {
        switch self {
        case .regular(let size, let content):
            guard size <= NamespaceLimits.maximumFileSize else { return "a file is too large" }
            return content.fault(fileSize: size)
        case .directory(let pages, let entryCount, _):
            return (pages == nil) == (entryCount == 0)
                ? nil : "a directory's count and pages contradict each other"
        case .symlink(let target):
            return (1...NamespaceLimits.maximumSymlinkSize).contains(target.count)
                && !target.contains(0) ? nil : "the path in a symbolic link is not allowed"
        case .special(let kind, let device):
            guard kind.isSpecial else { return "a special file of a kind that is not special" }
            let isDevice = kind == .characterDevice || kind == .blockDevice
            return isDevice || device == 0 ? nil : "a pipe or socket has a device number"
        case .pad(let pad):
            return pad.identity.count == PadReference.identitySize
                ? nil : "a pad's identity has a wrong size"
        case .link:
            return nil
        }
    }
}

extension Content {
    func fault(fileSize: UInt64) -> String? {
        switch self {
        case .inline(let bytes):
            guard bytes.count <= NamespaceLimits.maximumInlineSize else {
                return "inline content is too large"
            }
            return UInt64(bytes.count) == fileSize
                ? nil : "inline content is not as long as its file"
        case .segments(let segments):
            guard segments.count <= NamespaceLimits.maximumEntrySegmentCount else {
                return "too many segments in an entry"
            }
            return Segment.fault(of: segments, fileSize: fileSize)
        case .indirect(_, let count):
            return (1...NamespaceLimits.maximumSegmentCount).contains(count)
                ? nil : "a segments page is empty or too long"
        }
    }
}

extension Segment {
    /// The rule a list of segments breaks; nil if it may be the content of a file of this size.
    package static func fault(of segments: [Segment], fileSize: UInt64) -> String? {
        var end: UInt64 = 0
        for segment in segments {
            guard segment.size >= 1 else { return "a segment is empty" }
            guard segment.offset >= end else { return "segments overlap or are not sorted" }
            let (next, overflows) = segment.offset.addingReportingOverflow(segment.size)
            guard !overflows, next <= fileSize else { return "a segment ends behind its file" }
            end = next
            if let fault = segment.map.fault(describing: segment.size) { return fault }
        }
        return nil
    }
}

extension DataMap {
    /// The rule this map breaks as the content of a segment of `size` bytes.
    fileprivate func fault(describing size: UInt64) -> String? {
        let counts = DataMap.minimumChunkCount...NamespaceLimits.maximumMapChunkCount
        guard counts.contains(chunks.count) else { return "a data map has a wrong chunk count" }
        for (index, chunk) in chunks.enumerated() {
            guard chunk.index == UInt64(index) else { return "a data map is not in order" }
            guard (1...version.maximumSourceSize).contains(chunk.size) else {
                return "a chunk in a data map has a wrong size"
            }
            let algorithm = version.digestAlgorithm
            guard chunk.address.algorithm == algorithm, chunk.source.algorithm == algorithm else {
                return "a data map has digests of another version"
            }
        }
        if let child, child == 0 || child > NamespaceLimits.maximumMapDepth {
            return "a data map has a wrong level"
        }
        // A packed map does not know the size of what it leads to; reading finds out.
        if let described = fileSize, described < size { return "a segment is longer than its map" }
        return nil
    }
}
