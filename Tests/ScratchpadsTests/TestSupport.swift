// SPDX-License-Identifier: Apache-2.0
//
// What the tests of scratchpads share: dice that fall the same way every time, and short ways to
// make pads.

import Cryptography
import Primitives
import Scratchpads

extension WriteCapability {
    /// The pad whose seed is this byte, 32 times.
    init(testSeed: UInt8, scheme: SignatureSchemeID = .ed25519) {
        self.init(seed: SecretBytes([UInt8](repeating: testSeed, count: 32)), scheme: scheme)
    }

    func seal(
        _ plain: [UInt8], encoding: UInt64 = 0, counter: UInt64
    ) throws(ScratchpadError) -> PadRecord {
        try seal(plain.span, encoding: encoding, counter: counter)
    }
}
