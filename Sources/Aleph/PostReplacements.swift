// SPDX-License-Identifier: Apache-2.0
//
// Which replacement of a post counts while posts are listed, whatever order nodes list them in.
// Pure.
//
// Invariants:
// - `size` is the bytes of all texts in `waiting`, at most `AlephTree.replacementByteLimit`.
// - `waiting` has replacements of posts that did not come yet, `given` the times of those that did.

import AlephProtocol
internal import JSON

/// Posts and what replaces them, as a list brings them: some numbers for each of them, and texts
/// only of what waits for its post.
struct PostReplacements {
    private struct Waiting {
        let message: ItemHash
        let time: Double
        /// Nil if there was no room for it.
        let text: [UInt8]?
    }

    private var waiting: [ItemHash: Waiting] = [:]
    /// By numbers made of their names: that two are equal by chance costs a question later.
    private var given: [Int: Double] = [:]
    private var size = 0

    /// Notes what replaces a post.
    ///
    /// - Returns: the post and its time, if it came before and this is the newest of it.
    mutating func note(_ message: VerifiedMessage) -> (post: ItemHash, time: Double)? {
        guard let ref = message.content["ref"]?.string.flatMap({ ItemHash($0) }) else { return nil }
        if let time = given[ref.hashValue] {
            guard message.time > time else { return nil }
            given[ref.hashValue] = message.time
            return (ref, time)
        }
        let standing = waiting[ref]
        guard message.time > standing?.time ?? -1,
            standing != nil || waiting.count < AlephTree.maximumNameCount
        else { return nil }
        size -= standing?.text?.count ?? 0
        let text = AlephTree.postText(message)
        let isHeld = size + text.count <= AlephTree.replacementByteLimit
        if isHeld { size += text.count }
        waiting[ref] = Waiting(
            message: message.itemHash, time: message.time, text: isHeld ? text : nil)
        return nil
    }

    /// A post as what came so far left it; without a text if that is not held.
    mutating func newest(of post: AlephEntry, _ hash: ItemHash) -> AlephEntry {
        let replacement = waiting.removeValue(forKey: hash)
        size -= replacement?.text?.count ?? 0
        var newest = post
        if let replacement, replacement.time > post.time {
            newest.text = replacement.text
            newest.time = replacement.time
            newest.sources.append(replacement.message)
        }
        if given.count < AlephTree.maximumNameCount { given[hash.hashValue] = newest.time }
        return newest
    }
}
