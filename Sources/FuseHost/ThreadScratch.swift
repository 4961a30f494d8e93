// SPDX-License-Identifier: Apache-2.0
//
// What one thread reuses from request to request: the buffer its answers are made in, and the mark
// by which the watchdog sees that it moves.
//
// States: a scratch belongs to one thread from its first request until that thread ends, and is
// touched by no other; only its `activity` is shared.

import CFuse
import Glibc
import Synchronization

/// Shows from outside whether a thread is inside a request, and for how long the same one.
final class Activity: Sendable {
    private let count = Atomic<UInt64>(0)
    private let mayWait = Atomic<Bool>(false)
    private let over = Atomic<Bool>(false)

    /// The number of starts and ends so far: odd inside a request. Nil while the thread does
    /// something that may rightly take long.
    var sample: UInt64? {
        mayWait.load(ordering: .relaxed) ? nil : count.load(ordering: .relaxed)
    }

    /// Requests begun so far.
    var requestCount: UInt64 { (count.load(ordering: .relaxed) &+ 1) / 2 }

    /// Counts a start or an end. Only the thread it belongs to calls it.
    func step() {
        // One writer, so no read-modify-write is needed.
        count.store(count.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
    }

    /// The thread has ended.
    var isOver: Bool { over.load(ordering: .relaxed) }

    /// Says that the thread has ended.
    func end() { over.store(true, ordering: .relaxed) }

    /// Says whether what follows may rightly take long.
    func setMayWait(_ value: Bool) { mayWait.store(value, ordering: .relaxed) }
}

/// One thread's buffer for answers.
@safe final class ThreadScratch {
    /// Bytes of the buffer: as many as the longest read the kernel may ask for.
    static let bufferSize = MountOptions.transferSize

    /// Where answers are made. Aligned to pages, so that the kernel copies whole ones.
    let buffer: UnsafeMutableBufferPointer<UInt8>
    /// Inodes counted for the directory answer being made, until the kernel has it.
    var countedInodes: [UInt64] = []
    /// For the watchdog.
    let activity = Activity()

    /// The buffer is ours to free.
    private let ownsBuffer: Bool

    private init() {
        // SAFETY: 1 MiB of bytes, ours until `deinit` or the thread's until its end; bytes need no
        // initial value to be written over, and only what was written is ever read.
        if let place = unsafe cfuse_thread_buffer(Self.bufferSize) {
            unsafe buffer = UnsafeMutableBufferPointer(start: place, count: Self.bufferSize)
            ownsBuffer = false
        } else {
            let memory = UnsafeMutableRawBufferPointer.allocate(
                byteCount: Self.bufferSize, alignment: 4096)
            unsafe buffer = memory.bindMemory(to: UInt8.self)
            ownsBuffer = true
        }
    }

    deinit {
        // SAFETY: allocated in `init`, and nobody can reach it any more.
        if ownsBuffer { unsafe buffer.deallocate() }
        activity.end()
    }

    /// The calling thread's scratch; `isNew` on the thread's first call.
    static func current() -> (scratch: ThreadScratch, isNew: Bool) {
        // SAFETY: the key's value is nil or the retained scratch that `make` stored; only this
        // thread can see it, and it stays until the thread's end.
        if let known = unsafe pthread_getspecific(key) {
            return (unsafe Unmanaged<ThreadScratch>.fromOpaque(known).takeUnretainedValue(), false)
        }
        return (make(), true)
    }

    private static func make() -> ThreadScratch {
        let scratch = ThreadScratch()
        // SAFETY: the retain made here is given back by the key's destructor, below.
        let stored = unsafe pthread_setspecific(
            key, Unmanaged.passRetained(scratch).toOpaque())
        precondition(stored == 0, "no memory for a thread's own data")
        return scratch
    }

    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        // SAFETY: the destructor runs on the ending thread with the value `make` stored there.
        let result = unsafe pthread_key_create(&key) { value in
            guard let value = unsafe value else { return }
            unsafe Unmanaged<ThreadScratch>.fromOpaque(value).release()
        }
        precondition(result == 0, "no key left for a thread's own data")
        return key
    }()
}
