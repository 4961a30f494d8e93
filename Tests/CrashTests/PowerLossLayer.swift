// SPDX-License-Identifier: Apache-2.0
//
// A folder whose every change is written down: PowerLossLayer mounted over an empty one.

import Foundation
import TestSupport
import Testing

/// A mounted layer. `stop` unmounts it; its log can be read then, and while it runs.
///
/// `@unchecked Sendable` because its process is touched by the thread that made it only.
final class PowerLossLayer: @unchecked Sendable {
    struct Unusable: Error, CustomStringConvertible {
        let description: String
    }

    /// The program, built beside the tests.
    private static let program: String = {
        // Built into the same folder as the program that runs the tests.
        let here = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        return here.deletingLastPathComponent().appendingPathComponent("PowerLossLayer").path
    }()

    let root: String
    /// Where it is mounted.
    var path: String { root + "/disk" }
    var log: String { root + "/log" }
    private let process = Process()

    /// - Parameter root: a folder of the caller's, in which everything is made.
    init(root: String) throws {
        self.root = root
        for name in ["below", "disk"] {
            try FileManager.default.createDirectory(
                atPath: root + "/" + name, withIntermediateDirectories: true)
        }
        process.executableURL = URL(fileURLWithPath: PowerLossLayer.program)
        process.arguments = [root + "/below", root + "/log", root + "/disk"]
        try process.run()
        let isUp = eventually { self.isMounted || !self.process.isRunning }
        guard isUp, isMounted else {
            throw Unusable(description: "PowerLossLayer does not mount; is there /dev/fuse?")
        }
    }

    private var isMounted: Bool {
        // An absent table mounts nothing either.
        let table = (try? String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)) ?? ""
        return table.contains(" \(path) ")
    }

    /// The end of the log: what returned before this was asked has its lines before it.
    func position() throws -> Int {
        let facts = try FileManager.default.attributesOfItem(atPath: log)
        return (facts[.size] as? NSNumber)?.intValue ?? 0
    }

    /// Lets it answer nobody, from now on.
    func suspend() { kill(process.processIdentifier, SIGSTOP) }

    /// Lets it answer again, everything that was asked meanwhile first.
    func resume() { kill(process.processIdentifier, SIGCONT) }

    /// Unmounts it, and waits for the process.
    func stop() {
        guard process.isRunning else { return }
        resume()
        // Lazily: what still has a file open there must not keep the test.
        _ = try? run("/bin/umount", ["-l", path])
        if !eventually({ !self.process.isRunning }) { process.terminate() }
        process.waitUntilExit()
    }

    deinit { stop() }
}
