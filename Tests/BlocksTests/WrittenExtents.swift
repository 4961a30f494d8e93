// SPDX-License-Identifier: Apache-2.0
//
// How much of a file the disk has by now. The blocks that stat counts are no answer: ext4, XFS and
// Btrfs count what they will allocate and what was reserved with what was written.

import Foundation

/// What FIEMAP tells of a file, without a sync.
enum WrittenExtents {
    /// FS_IOC_FIEMAP: _IOWR('f', 11, struct fiemap).
    ///
    /// - Source: the kernel's linux/fs.h and linux/fiemap.h, as are the offsets and flags below.
    private static let request: UInt = 0xC020_660B
    private static let headSize = 32
    private static let extentSize = 56
    /// Extents that are asked for; a file here has fewer.
    private static let extentLimit = 1024
    /// UNKNOWN, DELALLOC and UNWRITTEN: no place yet, or one without its bytes.
    private static let absent: UInt32 = 0x2 | 0x4 | 0x800

    /// Whether the filesystem of the temporary folder tells, and tells apart what is only buffered.
    static let areTold: Bool = {
        // Whatever fails, nothing is told.
        guard let folder = try? TemporaryFolder() else { return false }
        let path = folder.path + "/probe"
        // Not by `Data.write` or `createFile`, which sync.
        // SAFETY: the path is lent for the call.
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return false }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        let bytes = Data(repeating: 7, count: 1 << 20)
        guard (try? file.write(contentsOf: bytes)) != nil, let size = try? size(of: path)
        else { return false }
        return size < bytes.count
    }()

    /// Bytes of a part of the file that are on the disk, or on their last way to it.
    ///
    /// - Throws: the system's error, EOPNOTSUPP where the filesystem tells nothing.
    static func size(of path: String, in range: Range<UInt64> = 0..<(.max)) throws -> Int {
        // SAFETY: the path is lent for the call.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw lastError() }
        defer { close(descriptor) }
        let memory = UnsafeMutableRawBufferPointer.allocate(
            byteCount: headSize + extentLimit * extentSize, alignment: 8)
        // SAFETY: ours alone, and used by nobody afterwards.
        defer { unsafe memory.deallocate() }
        // SAFETY: all within the memory. From offset 0 on, up to the largest length, no flags.
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
        unsafe memory.storeBytes(of: UInt64.max, toByteOffset: 8, as: UInt64.self)
        unsafe memory.storeBytes(of: UInt32(extentLimit), toByteOffset: 24, as: UInt32.self)
        // SAFETY: the kernel writes as many extents as the head says that there is room for.
        guard let start = memory.baseAddress, unsafe ioctl(descriptor, request, start) == 0 else {
            throw lastError()
        }
        // SAFETY: the kernel mapped at most as many extents as it was given room for.
        let count = Int(unsafe memory.load(fromByteOffset: 20, as: UInt32.self))
        var size = 0
        for index in 0..<min(count, extentLimit) {
            let offset = headSize + index * extentSize
            // SAFETY: within the memory, as the count is bounded.
            let start = unsafe memory.load(fromByteOffset: offset, as: UInt64.self)
            // SAFETY: as above.
            let length = unsafe memory.load(fromByteOffset: offset + 16, as: UInt64.self)
            // SAFETY: as above.
            let flags = unsafe memory.load(fromByteOffset: offset + 40, as: UInt32.self)
            if flags & absent == 0 {
                size += range.clamped(to: start..<start &+ length).count
            }
        }
        return size
    }

    private static func lastError() -> POSIXError {
        POSIXError(POSIXError.Code(rawValue: errno) ?? .EIO)
    }
}
