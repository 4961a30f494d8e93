// SPDX-License-Identifier: Apache-2.0
//
// The address of a Unix socket in a folder whose path may be longer than such an address holds.

import Glibc

/// A socket's name within an open folder.
///
/// An address holds 108 bytes. So the folder is opened, and the address goes through its
/// descriptor: `/proc/self/fd/N/name`, whatever the folder's path is.
struct UnixAddress: ~Copyable {
    private let folder: Descriptor
    private let address: sockaddr_un

    /// - Parameter name: short; with `/proc/self/fd/` and a number it fits by far.
    init(in path: String, name: String) throws(SystemError) {
        folder = try Descriptor.open(path, O_RDONLY | O_DIRECTORY)
        address = Self.address(of: "/proc/self/fd/\(folder.number)/\(name)")
    }

    private static func address(of path: String) -> sockaddr_un {
        let text = Array(path.utf8)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        // SAFETY: the tuple is the address's own storage; one byte at least stays zero, the end.
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { path in
            precondition(text.count < path.count, "the name is not short")
            unsafe path.copyBytes(from: text)
        }
        return address
    }

    /// Connects `socket` to it.
    func connect(_ socket: borrowing Descriptor) throws(SystemError) {
        let number = socket.number
        // SAFETY: `call` lends an address that lives through the system call.
        try unsafe call("connect") { unsafe Glibc.connect(number, $0, $1) }
    }

    /// Gives `socket` this address, which must be free.
    func bind(_ socket: borrowing Descriptor) throws(SystemError) {
        let number = socket.number
        // SAFETY: `call` lends an address that lives through the system call.
        try unsafe call("bind") { unsafe Glibc.bind(number, $0, $1) }
    }

    private func call(
        _ name: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws(SystemError) {
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        // SAFETY: a sockaddr_un is what a sockaddr of family AF_UNIX points to; it outlives the
        // call.
        let result = unsafe withUnsafePointer(to: address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe body($0, size)
            }
        }
        guard result == 0 else { throw SystemError.last(name) }
    }
}
