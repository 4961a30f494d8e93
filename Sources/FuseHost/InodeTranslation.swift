// SPDX-License-Identifier: Apache-2.0
//
// Inode numbers on their way between the kernel and the engine. The kernel calls the root of a
// mount 1, whatever directory of the volume is mounted there.

/// Turns inode numbers of the kernel into the engine's and back.
///
/// All numbers but the mounted directory's, the kernel's 1 and those of momentary files are the
/// same on both sides. The functions undo each other for everything the kernel can have been told.
struct InodeTranslation: Sendable, Hashable {
    /// What the kernel calls the root of a mount.
    ///
    /// - Source: FUSE_ROOT_ID in linux/fuse.h.
    static let kernelRoot: UInt64 = 1
    /// A number no inode ever has; the engine answers that it is gone.
    static let none: UInt64 = 0
    /// Where the numbers of momentary files begin, and where they end: those of foreign trees begin
    /// there, and a volume's own never come so far.
    static let momentary: Range<UInt64> = 1 << 54..<1 << 55
    /// Bits of such a number that are the engine's, whose files of this kind have small ones.
    private static let momentaryBits: UInt64 = 4

    /// The engine's number of the mounted directory.
    let root: UInt64

    /// The engine's number of an inode the kernel names.
    ///
    /// The mounted directory has no name but 1. Who asks for its own number, which only a forged
    /// NFS handle can, gets an inode that does not exist, and not the volume's root.
    func engine(_ kernel: UInt64) -> UInt64 {
        if kernel == Self.kernelRoot { return root }
        if Self.momentary.contains(kernel) { return kernel & ((1 << Self.momentaryBits) - 1) }
        return kernel == root ? Self.none : kernel
    }

    /// The kernel's number of an inode of the engine.
    ///
    /// With a subdirectory mounted, the volume's root lies outside; it gets the number nothing else
    /// has, so that no two names in a listing seem to be one inode.
    func kernel(_ engine: UInt64) -> UInt64 {
        if engine == root { return Self.kernelRoot }
        return engine == Self.kernelRoot ? root : engine
    }

    /// The kernel's number of a file whose size holds for this moment only.
    ///
    /// It is another one with each size: the kernel, which gathers writes itself, believes the
    /// first size that it was told of an inode for as long as it keeps that, and keeps it as long
    /// as the name leads to the same number.
    ///
    /// `stat` shows this number too: `tail -F` sees by it that the name leads to more than the file
    /// it has open, whose size stays what it was. With the engine's it would wait for ever.
    func kernel(momentary engine: UInt64, size: UInt64) -> UInt64 {
        let places = (Self.momentary.upperBound - Self.momentary.lowerBound) >> Self.momentaryBits
        return Self.momentary.lowerBound | ((size % places) << Self.momentaryBits) | engine
    }
}
