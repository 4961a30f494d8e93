// SPDX-License-Identifier: Apache-2.0
//
// One request as a value: what is asked, without who waits for it. The host runs it on the thread
// it came in on, and, when the engine would have to wait for the store, once more on a thread
// that may wait. So each operation is written once, and changes nothing before it can be done.

import Engine

/// What happens to an operation that must wait when as many wait already as ever may.
enum FullLane: Sendable {
    /// The caller is told to try again. Nothing was changed.
    case refuse
    /// It waits on the thread it came in on: the kernel would lose bytes if it were refused.
    case waitHere
}

/// One request as a value.
protocol Operation: Sendable {
    /// Does it.
    ///
    /// Called at most twice: without patience, and, if that throws `wouldBlock`, with it.
    func perform(_ call: Call) throws(FileError) -> FuseReply

    /// The same request with everything it borrows from libfuse copied.
    func keeping() -> Self

    /// Bytes that `keeping` copies.
    var keptBytes: Int { get }

    /// What happens when it must wait and cannot.
    var whenFull: FullLane { get }

    /// It always waits, for the local disk, so it never runs on a thread that serves requests.
    var waitsForDisk: Bool { get }

    /// Where it must wait, it waits for the kernel, which asks for more before it goes on: never on
    /// a thread that other operations wait for.
    var waitsForKernel: Bool { get }

    /// Whoever was handed an open file may ask for it, or has the kernel ask. All else is for root
    /// alone where nobody checks permissions (`MountOptions.checksPermissions`): the kernel keeps
    /// other users out by six of a process's ids, and not by that which it gives as the caller's,
    /// with which a file server of root's acts for others.
    ///
    /// - Source: Linux, fs/fuse/dir.c: fuse_allow_current_process; setfsuid(2).
    var isForHolders: Bool { get }
}

extension Operation {
    func keeping() -> Self { self }
    var keptBytes: Int { 0 }
    var whenFull: FullLane { .refuse }
    var waitsForDisk: Bool { false }
    var waitsForKernel: Bool { false }
    var isForHolders: Bool { false }
}

/// What an operation has to work with: valid while `perform` runs.
struct Call {
    /// Where it is done.
    let host: RequestHost
    /// Who asks, and whether they can wait.
    let context: RequestContext
    /// The thread's own buffer.
    let scratch: ThreadScratch

    /// Where it is done.
    var engine: Engine { host.engine }
}
