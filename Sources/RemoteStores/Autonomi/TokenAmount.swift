// SPDX-License-Identifier: Apache-2.0
//
// Sums of the network's token, in its smallest unit.

/// A sum in attos: 10^18 of them are one token.
package struct TokenAmount: Hashable, Sendable, Comparable {
    /// Attos of one token, as a power of ten.
    private static let decimals = 18
    /// The most digits that are read: those of the largest sum that is kept exactly.
    private static let digitLimit = 39

    /// How many attos.
    package let attos: UInt128

    /// Names the sum.
    package init(_ attos: UInt128) {
        self.attos = attos
    }

    /// Nothing.
    package static let zero = TokenAmount(0)

    /// Reads a whole number of attos in decimal; nil for anything else, or more than 128 bits.
    package init?(_ text: String) {
        guard (1...Self.digitLimit).contains(text.utf8.count),
            text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let attos = UInt128(text)
        else { return nil }
        self.attos = attos
    }

    /// Decimal attos; `TokenAmount(text)` is this again.
    package var text: String { String(attos) }

    /// As people say it: tokens, with as many decimals as there are.
    package var tokens: String {
        let digits = String(attos)
        let padded =
            String(repeating: "0", count: max(0, Self.decimals + 1 - digits.count)) + digits
        let whole = padded.dropLast(Self.decimals)
        var part = padded.suffix(Self.decimals)
        while part.last == "0" { part.removeLast() }
        return part.isEmpty ? String(whole) : "\(whole).\(part)"
    }

    /// By size.
    package static func < (left: TokenAmount, right: TokenAmount) -> Bool {
        left.attos < right.attos
    }

    /// Both together; the largest sum instead of more than that.
    package static func + (left: TokenAmount, right: TokenAmount) -> TokenAmount {
        let (sum, isOver) = left.attos.addingReportingOverflow(right.attos)
        return TokenAmount(isOver ? .max : sum)
    }

    /// What is left without the other; nothing if that is more.
    package static func - (left: TokenAmount, right: TokenAmount) -> TokenAmount {
        TokenAmount(left.attos - min(left.attos, right.attos))
    }

    /// So many times this; the largest sum instead of more than that.
    package static func * (left: TokenAmount, count: UInt64) -> TokenAmount {
        let (product, isOver) = left.attos.multipliedReportingOverflow(by: UInt128(count))
        return TokenAmount(isOver ? .max : product)
    }
}
