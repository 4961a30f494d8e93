// SPDX-License-Identifier: Apache-2.0
//
// Regular expressions whose cost has a bound. A pattern comes from a query, and the text from
// strangers: a backtracking matcher could be kept busy for years by forty characters of either.

/// Why a pattern was refused.
package enum PatternError: Error, Equatable, Sendable {
    /// The pattern breaks the grammar at this character, counted from 0.
    case malformed(at: Int)
    /// The pattern uses what no matcher of bounded cost has: back-references, looking around.
    case unsupported(at: Int)
    /// The pattern is longer, or expands to more steps, than is taken.
    case tooLarge(limit: Int)
}

extension PatternError: CustomStringConvertible {
    /// One sentence for a person.
    package var description: String {
        switch self {
        case .malformed(let place): "the pattern is wrong at character \(place + 1)"
        case .unsupported(let place):
            "the pattern uses a form that is not supported at character \(place + 1)"
        case .tooLarge(let limit): "the pattern is larger than \(limit)"
        }
    }
}

/// A regular expression that is found in a text in time proportional to the product of their sizes.
///
/// Literals, `.`, classes, `\d \w \s \b` and their opposites, `^ $`, groups, `|`, `* + ? {m,n}`
/// (also with the `?` of reluctance, which changes nothing about whether a text matches), and
/// `(?i)` or `(?s)` at the front. Letters are Unicode scalars; classes written as escapes are
/// ASCII's.
///
/// - Source: Thompson's construction, run as Pike's virtual machine.
package struct BoundedPattern: Sendable {
    /// The most characters of a pattern.
    package static let maximumSize = 1000
    /// The most steps a pattern expands to: what bounds the cost for each character of text.
    package static let maximumStepCount = 5000
    /// The most that `{m,n}` may ask for.
    package static let maximumRepeatCount = 1000
    /// How deep groups may nest.
    package static let maximumDepth = 50

    /// One step of the machine; numbers are indexes of steps.
    enum Step: Sendable {
        /// Takes one character of a set.
        case take(CharacterSet)
        /// Goes on at both.
        case fork(Int, Int)
        /// Goes on elsewhere.
        case jump(Int)
        /// Goes on if nothing was read yet, or nothing is left.
        case start, end
        /// Goes on if a word does, or does not, begin or end here.
        case boundary(Bool)
        /// The pattern was found.
        case found
    }

    private let steps: [Step]

    /// Compiles a pattern.
    package init(_ pattern: String) throws(PatternError) {
        let scalars = Array(pattern.unicodeScalars)
        guard scalars.count <= BoundedPattern.maximumSize else {
            throw .tooLarge(limit: BoundedPattern.maximumSize)
        }
        var parser = PatternParser(scalars)
        steps = try parser.compile()
    }

    /// Whether the pattern is found anywhere in the text.
    package func isFound(in text: String) -> Bool {
        var machine = Machine(stepCount: steps.count)
        var before: Unicode.Scalar?
        var rest = text.unicodeScalars[...]
        while true {
            let next = rest.first
            // A match may begin at every place.
            if machine.enter(0, steps: steps, before: before, after: next) { return true }
            guard let next else { return false }
            rest = rest.dropFirst()
            if machine.take(next, steps: steps, after: rest.first) { return true }
            before = next
        }
    }
}

/// The places the machine is at, each once.
private struct Machine {
    private var current: [Int] = []
    /// For each step, the round in which it was last entered.
    private var entered: [Int]
    private var round = 1

    init(stepCount: Int) {
        entered = [Int](repeating: 0, count: stepCount)
    }

    /// Follows `step` to all places that take a character; true if the pattern was found.
    mutating func enter(
        _ step: Int, steps: [BoundedPattern.Step], before: Unicode.Scalar?,
        after: Unicode.Scalar?
    ) -> Bool {
        var pending = [step]
        while let place = pending.popLast() {
            guard entered[place] != round else { continue }
            entered[place] = round
            switch steps[place] {
            case .take: current.append(place)
            case .fork(let first, let second): pending += [second, first]
            case .jump(let target): pending.append(target)
            case .start: if before == nil { pending.append(place + 1) }
            case .end: if after == nil { pending.append(place + 1) }
            case .boundary(let isWanted):
                let isBoundary = CharacterSet.isWord(before) != CharacterSet.isWord(after)
                if isBoundary == isWanted { pending.append(place + 1) }
            case .found: return true
            }
        }
        return false
    }

    /// Reads one character; true if the pattern was found.
    mutating func take(
        _ character: Unicode.Scalar, steps: [BoundedPattern.Step], after: Unicode.Scalar?
    ) -> Bool {
        let places = current
        current.removeAll(keepingCapacity: true)
        round += 1
        for place in places {
            guard case .take(let set) = steps[place], set.contains(character) else { continue }
            if enter(place + 1, steps: steps, before: character, after: after) { return true }
        }
        return false
    }
}

/// Characters that one step takes.
struct CharacterSet: Sendable, Equatable {
    var ranges: [ClosedRange<UInt32>]
    var isInverted = false
    var ignoresCase = false

    static let digits: [ClosedRange<UInt32>] = [0x30...0x39]
    static let word: [ClosedRange<UInt32>] = [0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A]
    static let space: [ClosedRange<UInt32>] = [0x09...0x0D, 0x20...0x20]
    static let lineEnd: [ClosedRange<UInt32>] = [0x0A...0x0A]

    static func isWord(_ scalar: Unicode.Scalar?) -> Bool {
        scalar.map { scalar in word.contains { $0.contains(scalar.value) } } ?? false
    }

    /// All that the ranges, which are sorted and apart, leave out.
    static func opposite(of ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
        var start: UInt32 = 0
        var result: [ClosedRange<UInt32>] = []
        for range in ranges {
            if start < range.lowerBound { result.append(start...range.lowerBound - 1) }
            start = range.upperBound + 1
        }
        result.append(start...0x10FFFF)
        return result
    }

    func contains(_ scalar: Unicode.Scalar) -> Bool {
        let isIn =
            has(scalar.value)
            || ignoresCase
                && (hasFolded(scalar.properties.lowercaseMapping)
                    || hasFolded(scalar.properties.uppercaseMapping))
        return isIn != isInverted
    }

    private func has(_ value: UInt32) -> Bool {
        ranges.contains { $0.contains(value) }
    }

    private func hasFolded(_ text: String) -> Bool {
        let scalars = text.unicodeScalars
        guard let scalar = scalars.first, scalars.count == 1 else { return false }
        return has(scalar.value)
    }
}
