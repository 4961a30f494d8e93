// SPDX-License-Identifier: Apache-2.0
//
// File names as the system takes them.

/// A path below an open folder, NUL-terminated and ready for a system call.
struct RelativePath: Equatable, Sendable {
    /// The bytes, the last of which is zero and no other.
    let bytes: [CChar]

    /// The path that consists of `name`, which has no NUL in it.
    init(_ name: [UInt8]) {
        bytes = [CChar](capacity: name.count + 1) { output in
            for byte in name {
                output.append(CChar(bitPattern: byte))
            }
            output.append(0)
        }
    }

    /// The path that consists of `name`, which has no NUL in it.
    init(_ name: StaticString) {
        self.init(Array(name.description.utf8))
    }

    /// A path that `fill` writes, without the NUL.
    init(capacity: Int, fill: (inout OutputSpan<CChar>) -> Void) {
        bytes = [CChar](capacity: capacity + 1) { output in
            fill(&output)
            output.append(0)
        }
    }
}
