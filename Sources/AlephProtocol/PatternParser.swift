// SPDX-License-Identifier: Apache-2.0
//
// From the text of a pattern to the steps that find it.

/// Reads a pattern by descending into its groups, and writes steps as it goes.
struct PatternParser {
    private typealias Step = BoundedPattern.Step

    private let pattern: [Unicode.Scalar]
    private var place = 0
    private var depth = 0
    private var ignoresCase = false
    private var dotTakesLines = false

    init(_ pattern: [Unicode.Scalar]) {
        self.pattern = pattern
    }

    /// The steps of the whole pattern.
    mutating func compile() throws(PatternError) -> [BoundedPattern.Step] {
        try flags()
        var steps = try alternatives()
        guard place == pattern.count else { throw .malformed(at: place) }
        steps.append(.found)
        return steps
    }

    private mutating func flags() throws(PatternError) {
        guard peek(0) == "(", peek(1) == "?", peek(2) == "i" || peek(2) == "s" else { return }
        place += 2
        while let flag = peek(0), flag != ")" {
            switch flag {
            case "i": ignoresCase = true
            case "s": dotTakesLines = true
            default: throw .unsupported(at: place)
            }
            place += 1
        }
        guard peek(0) == ")" else { throw .malformed(at: place) }
        place += 1
    }

    private mutating func alternatives() throws(PatternError) -> [BoundedPattern.Step] {
        depth += 1
        defer { depth -= 1 }
        guard depth <= BoundedPattern.maximumDepth else {
            throw .tooLarge(limit: BoundedPattern.maximumDepth)
        }
        var steps = try sequence()
        while peek(0) == "|" {
            place += 1
            let other = try sequence()
            // Steps of a part count from its own start, until they are moved behind others.
            steps =
                [.fork(1, steps.count + 2)] + moved(steps, by: 1)
                + [.jump(steps.count + 2 + other.count)] + moved(other, by: steps.count + 2)
            try checkSize(steps)
        }
        return steps
    }

    private mutating func sequence() throws(PatternError) -> [BoundedPattern.Step] {
        var steps: [Step] = []
        while let next = peek(0), next != "|", next != ")" {
            let atom = try atom()
            steps += moved(try repeated(atom), by: steps.count)
            try checkSize(steps)
        }
        return steps
    }

    private mutating func repeated(
        _ atom: [BoundedPattern.Step]
    ) throws(PatternError) -> [BoundedPattern.Step] {
        let minimum: Int
        let maximum: Int?
        let start = place
        switch peek(0) {
        case "*": (minimum, maximum, place) = (0, nil, place + 1)
        case "+": (minimum, maximum, place) = (1, nil, place + 1)
        case "?": (minimum, maximum, place) = (0, 1, place + 1)
        case "{":
            guard let counts = counts() else {
                // As elsewhere, a brace that counts nothing is a brace.
                place = start
                return atom
            }
            (minimum, maximum) = counts
            guard minimum <= maximum ?? minimum else { throw .malformed(at: start) }
            let limit = BoundedPattern.maximumRepeatCount
            guard max(minimum, maximum ?? 0) <= limit else { throw .tooLarge(limit: limit) }
        default: return atom
        }
        if peek(0) == "?" { place += 1 }
        if peek(0) == "+" { throw .unsupported(at: place) }
        if peek(0) == "*" || peek(0) == "?" { throw .malformed(at: place) }
        // The size is known before anything is built.
        let copies = minimum + (maximum.map { $0 - minimum } ?? 1)
        guard copies * (atom.count + 2) <= BoundedPattern.maximumStepCount else {
            throw .tooLarge(limit: BoundedPattern.maximumStepCount)
        }
        var steps: [Step] = []
        for _ in 0..<minimum { steps += moved(atom, by: steps.count) }
        guard let maximum else {
            let loop = steps.count
            return steps + [.fork(loop + 1, loop + atom.count + 2)]
                + moved(atom, by: loop + 1) + [.jump(loop)]
        }
        let end = steps.count + (maximum - minimum) * (atom.count + 1)
        for _ in minimum..<maximum {
            steps.append(.fork(steps.count + 1, end))
            steps += moved(atom, by: steps.count)
        }
        return steps
    }

    /// Reads `{m}`, `{m,}` or `{m,n}`; nil if it is none of them.
    private mutating func counts() -> (Int, Int?)? {
        place += 1
        guard let minimum = number() else { return nil }
        if peek(0) == "}" {
            place += 1
            return (minimum, minimum)
        }
        guard peek(0) == "," else { return nil }
        place += 1
        let maximum = number()
        guard peek(0) == "}" else { return nil }
        place += 1
        return (minimum, maximum)
    }

    private mutating func number() -> Int? {
        var value: Int?
        while let digit = peek(0), ("0"..."9").contains(digit) {
            // Above the limit every number is the same.
            value = min((value ?? 0) * 10 + Int(digit.value - 0x30), 1_000_000)
            place += 1
        }
        return value
    }

    private mutating func atom() throws(PatternError) -> [BoundedPattern.Step] {
        guard let character = peek(0) else { throw .malformed(at: place) }
        place += 1
        switch character {
        case "(": return try group()
        case "[": return [.take(try characterClass())]
        case ".":
            return [
                .take(
                    CharacterSet(
                        ranges: dotTakesLines ? [] : CharacterSet.lineEnd, isInverted: true))
            ]
        case "^": return [.start]
        case "$": return [.end]
        case "*", "+", "?": throw .malformed(at: place - 1)
        case "\\":
            if peek(0) == "b" || peek(0) == "B" {
                place += 1
                return [.boundary(pattern[place - 1] == "b")]
            }
            return [.take(set(try escape()))]
        default: return [.take(set([character.value...character.value]))]
        }
    }

    private mutating func group() throws(PatternError) -> [BoundedPattern.Step] {
        if peek(0) == "?" {
            guard peek(1) == ":" else { throw .unsupported(at: place) }
            place += 2
        }
        let steps = try alternatives()
        guard peek(0) == ")" else { throw .malformed(at: place) }
        place += 1
        return steps
    }

    private mutating func characterClass() throws(PatternError) -> CharacterSet {
        var result = set([])
        if peek(0) == "^" {
            result.isInverted = true
            place += 1
        }
        let start = place
        while true {
            guard let character = peek(0) else { throw .malformed(at: place) }
            if character == "]", place > start {
                place += 1
                return result
            }
            let first = try member()
            // A hyphen makes a range between two single characters, and is itself elsewhere.
            guard peek(0) == "-", let behind = peek(1), behind != "]" else {
                result.ranges += first
                continue
            }
            place += 1
            let last = try member()
            guard let from = single(first), let to = single(last), from <= to else {
                throw .malformed(at: place)
            }
            result.ranges.append(from...to)
        }
    }

    private mutating func member() throws(PatternError) -> [ClosedRange<UInt32>] {
        guard let character = peek(0) else { throw .malformed(at: place) }
        place += 1
        return character == "\\" ? try escape() : [character.value...character.value]
    }

    /// Reads an escape from behind its backslash on.
    private mutating func escape() throws(PatternError) -> [ClosedRange<UInt32>] {
        guard let letter = peek(0) else { throw .malformed(at: place) }
        place += 1
        switch letter {
        case "d": return CharacterSet.digits
        case "D": return CharacterSet.opposite(of: CharacterSet.digits)
        case "w": return CharacterSet.word
        case "W": return CharacterSet.opposite(of: CharacterSet.word)
        case "s": return CharacterSet.space
        case "S": return CharacterSet.opposite(of: CharacterSet.space)
        case "n": return [0x0A...0x0A]
        case "r": return [0x0D...0x0D]
        case "t": return [0x09...0x09]
        default:
            // Letters and digits may mean something to another matcher, so that to take them
            // for themselves would find the wrong things.
            guard !CharacterSet.isWord(letter) else { throw .unsupported(at: place - 1) }
            return [letter.value...letter.value]
        }
    }

    private func set(_ ranges: [ClosedRange<UInt32>]) -> CharacterSet {
        CharacterSet(ranges: ranges, ignoresCase: ignoresCase)
    }

    private func single(_ ranges: [ClosedRange<UInt32>]) -> UInt32? {
        guard ranges.count == 1, ranges[0].count == 1 else { return nil }
        return ranges[0].lowerBound
    }

    private func peek(_ distance: Int) -> Unicode.Scalar? {
        place + distance < pattern.count ? pattern[place + distance] : nil
    }

    private func checkSize(_ steps: [BoundedPattern.Step]) throws(PatternError) {
        guard steps.count <= BoundedPattern.maximumStepCount else {
            throw .tooLarge(limit: BoundedPattern.maximumStepCount)
        }
    }

    private func moved(_ steps: [BoundedPattern.Step], by offset: Int) -> [BoundedPattern.Step] {
        steps.map { step in
            switch step {
            case .fork(let first, let second): .fork(first + offset, second + offset)
            case .jump(let target): .jump(target + offset)
            default: step
            }
        }
    }
}
