// SPDX-License-Identifier: Apache-2.0
//
// Which object holds which chunk or pad. docs/format.md §24. Pure.
//
//   PREFIX/cairn-store                            the marker
//   PREFIX/chunks/<64 hexadecimal digits>         a chunk named by its BLAKE3 digest
//   PREFIX/chunks/<64 hexadecimal digits>.sha3    a chunk named by its SHA3-256 digest
//   PREFIX/pads/<scheme>-<hexadecimal address>    a pad; the scheme's tag as two digits
//
// No folders below: services spread keys by their beginnings, which here are a hash already.

internal import Primitives
internal import Scratchpads

/// The keys of one store.
struct ObjectKeys: Sendable {
    /// What all of them begin with: empty, or a prefix with its slash.
    let root: String

    init(prefix: String) {
        root = prefix.isEmpty ? "" : prefix + "/"
    }

    var marker: String { root + "cairn-store" }
    /// What the keys of all chunks begin with.
    var chunks: String { root + "chunks/" }
    /// What the keys of all pads begin with.
    var pads: String { root + "pads/" }
    /// What the keys of probes begin with.
    var probes: String { root + "probe-" }

    func chunk(_ digest: Digest) -> String {
        chunks + digest.hex + (digest.algorithm == .sha3 ? ".sha3" : "")
    }

    func pad(_ address: PadAddress) -> String {
        pads + Hex.encode([address.scheme.rawValue]) + "-" + address.hex
    }

    /// The digest that a key stands for; nil if it is no chunk's key.
    func digest(ofKey key: String) -> Digest? {
        guard key.hasPrefix(chunks) else { return nil }
        let name = key.dropFirst(chunks.count)
        let digits = String(name.prefix(2 * Digest.byteCount))
        let algorithm: DigestAlgorithm
        switch name.dropFirst(digits.count) {
        case "": algorithm = .blake3
        case ".sha3": algorithm = .sha3
        default: return nil
        }
        // Compared with its own digits: a name in capitals is an object that `get` never finds.
        guard let digest = Digest(hex: digits, algorithm: algorithm), digest.hex == digits else {
            return nil
        }
        return digest
    }
}
