// SPDX-License-Identifier: Apache-2.0
//
// A file of this machine, read for the network.

package import Aleph
import Glibc
import Namespace

/// Files that are stored or hashed.
package enum LocalSource {
    /// A file's bytes, as they are when they are read.
    ///
    /// - Throws: `unusablePath` if it is none that can be read.
    package static func open(_ path: String) throws(CommandFailure) -> AlephSource {
        let file: SharedDescriptor
        let facts: FileFacts
        do {
            file = SharedDescriptor(try Descriptor.open(path, O_RDONLY))
            facts = try FileFacts.of(file.descriptor)
        } catch {
            throw CommandFailure(.unusablePath, "“\(path)” cannot be read", error)
        }
        guard facts.kind == .regular, let size = Int(exactly: facts.size) else {
            throw CommandFailure(.unusablePath, "“\(path)” is no file")
        }
        return AlephSource(size: size) { offset, limit in file.read(at: offset, limit: limit) }
    }

    /// All bytes of a file.
    package static func read(_ path: String, limit: Int) throws(CommandFailure) -> [UInt8] {
        do {
            return try Descriptor.open(path, O_RDONLY).readAll(limit: limit)
        } catch {
            throw CommandFailure(.unusablePath, "“\(path)” cannot be read", error)
        }
    }
}

/// A descriptor that a closure can hold.
private final class SharedDescriptor: Sendable {
    let descriptor: Descriptor

    init(_ descriptor: consuming Descriptor) {
        self.descriptor = descriptor
    }

    func read(at offset: Int, limit: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: limit)
        var span = bytes.mutableSpan
        do {
            let count = try descriptor.read(at: UInt64(offset), into: &span)
            guard count > 0 else { return nil }
            return Array(bytes.prefix(count))
        } catch {
            // The one who asked says that the bytes could not be read.
            return nil
        }
    }
}
