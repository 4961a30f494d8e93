// SPDX-License-Identifier: Apache-2.0
//
// Which clock a wait for somebody else goes by.

/// The clock of every wait that ends in an error when its time is over: for a store, a server, or
/// room in the cache.
///
/// It stands still while the machine is suspended. Nobody can answer meanwhile: by a clock that
/// goes on, whatever was waiting when the lid closed would fail at the wake-up, before the network
/// is back. What is to be done at some time, and does not fail, goes by `ContinuousClock`.
///
/// - Source: on Linux CLOCK_MONOTONIC, where `ContinuousClock` is CLOCK_BOOTTIME; clock_gettime(2).
package typealias WaitClock = SuspendingClock
