// SPDX-License-Identifier: Apache-2.0
//
// What the last process that used a volume left for the next: a sentence, for `cairn status` while
// nothing runs.
//
// Invariant: it is there only while the state is as that process left it. Whoever starts an engine
// takes it away first, so that one that is killed leaves none.

import Glibc

extension VolumeFolder {
    private var leftFile: String { path + "/left" }

    /// Takes the sentence away, for good. To be called holding the lock, before anything changes.
    func forgetLeft() throws(CommandFailure) {
        do {
            guard Files.exists(leftFile) else { return }
            try Files.remove(leftFile)
            // Come back after a power loss, it would tell of a state that is no more.
            try Descriptor.open(path, O_RDONLY | O_DIRECTORY).sync()
        } catch {
            throw CommandFailure(.failure, "the state folder “\(path)” cannot be written", error)
        }
    }

    /// Keeps the sentence. To be called holding the lock, when the engine has stopped.
    func noteLeft(_ sentence: String) {
        do {
            try Files.replace(leftFile, with: Array(sentence.utf8), mode: 0o600)
        } catch {
            // Without it a status says that it does not know, which is so.
            do { try Files.remove(leftFile + ".new") } catch { /* The next one replaces it. */  }
        }
    }

    /// What is not on the store, as part of a sentence; nil where nobody can say before the volume
    /// is mounted again.
    package var left: String? {
        do {
            let bytes = try Descriptor.open(leftFile, O_RDONLY | O_NOFOLLOW)
                .readAll(limit: ControlLimits.textSize)
            return String(decoding: bytes, as: UTF8.self)
        } catch {
            return nil
        }
    }
}
