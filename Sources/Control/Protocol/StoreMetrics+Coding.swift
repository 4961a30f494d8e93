// SPDX-License-Identifier: Apache-2.0
//
// What a store was asked, in a control message.

import Engine
import Primitives
import Stores

extension ByteWriter {
    /// The numbers of each operation, by their names.
    mutating func metrics(_ metrics: StoreMetrics) {
        varint(UInt64(metrics.count))
        for (operation, numbers) in metrics.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            text(operation.rawValue)
            for count in [numbers.count, numbers.sentBytes, numbers.receivedBytes] {
                varint(count)
            }
            varint(OperationStatus(operation, numbers).microseconds)
            for count in numbers.latencies { varint(count) }
            varint(UInt64(numbers.failures.count))
            for (kind, count) in numbers.failures.sorted(by: { $0.key < $1.key }) {
                text(kind)
                varint(count)
            }
        }
    }
}

extension ByteReader {
    /// Kinds of failures of one operation; there are a dozen.
    private static let kindLimit = 64

    mutating func metrics() throws(CodingError) -> StoreMetrics {
        var metrics = StoreMetrics()
        for _ in 0..<(try count(limit: StoreOperation.allCases.count)) {
            guard let operation = StoreOperation(rawValue: try text()), metrics[operation] == nil
            else { throw .malformed("an operation of a store") }
            var numbers = OperationMetrics()
            numbers.count = try varint()
            numbers.sentBytes = try varint()
            numbers.receivedBytes = try varint()
            numbers.time = .microseconds(try count(limit: Int.max))
            for index in numbers.latencies.indices { numbers.latencies[index] = try varint() }
            for _ in 0..<(try count(limit: ByteReader.kindLimit)) {
                numbers.failures[try text()] = try varint()
            }
            metrics[operation] = numbers
        }
        return metrics
    }
}
