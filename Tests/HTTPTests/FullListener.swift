// SPDX-License-Identifier: Apache-2.0
//
// A port on which connections hang: it listens with the shortest queue, and the queue is full.

import Foundation
import Glibc

/// Something that listens and never accepts.
struct FullListener {
    private let descriptors: [Int32]
    let url: String

    init() throws {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var open = [listener]
        // SAFETY, for the block: addresses and sizes of locals, for the length of each call.
        let isFull = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                guard unsafe bind(listener, generic, size) == 0, listen(listener, 0) == 0,
                    unsafe getsockname(listener, generic, &size) == 0
                else { return false }
                // Linux keeps one more than asked; the further ones hang half-way.
                for _ in 0..<4 {
                    let client = socket(
                        AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
                    open.append(client)
                    _ = unsafe connect(client, generic, size)
                }
                return true
            }
        }
        descriptors = open
        url = "http://127.0.0.1:\(UInt16(bigEndian: address.sin_port))/"
        guard isFull else {
            close()
            throw POSIXError(.EADDRINUSE)
        }
    }

    func close() {
        for descriptor in descriptors { _ = Glibc.close(descriptor) }
    }
}
