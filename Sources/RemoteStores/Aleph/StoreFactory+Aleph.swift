// SPDX-License-Identifier: Apache-2.0
//
// Opening stores on Aleph Cloud: which account they belong to, and where its key is.

package import Aleph
package import AlephProtocol
internal import AlephStores
package import Cryptography
internal import Glibc
package import Stores

extension StoreFactory {
    /// The account of a store on Aleph Cloud.
    ///
    /// - Parameter seed: the volume's, which makes the account unless the address names a file with
    ///   a key.
    /// - Throws: `refused` if there is no key, or one that is none of the address's chain.
    package static func account(
        of address: AlephStoreAddress, seed: SecretBytes?
    ) throws(StoreError) -> AlephAccount {
        let bytes = try address.keyFile.map { (path) throws(StoreError) in try keyFile(path) }
        do throws(AlephProtocolError) {
            if let bytes {
                return try AlephAccount(secret: AccountKeyText(bytes).secret, chain: address.chain)
            }
            guard let seed else { throw .malformedKey }
            return try AlephAccount(derivingFrom: seed, chain: address.chain)
        } catch {
            throw .refused("the key of its account cannot be used: \(error)")
        }
    }

    /// The bytes of a file with a key, which nobody else can read.
    private static func keyFile(_ path: String) throws(StoreError) -> [UInt8] {
        let words = "the file of its account's key, “\(path)”,"
        let flags = O_RDONLY | O_CLOEXEC | O_NOCTTY
        let found: (bytes: [UInt8], permissions: mode_t)
        do throws(SystemError) {
            // SAFETY: the text is lent for the call.
            let file = OpenFile(
                descriptor: try retrying { unsafe Glibc.open(path, flags) })
            let permissions = try file.status().permissions
            found = (try file.read(size: AccountKeyText.maximumSize + 1), permissions)
        } catch {
            throw .refused("\(words) cannot be read")
        }
        guard found.permissions & (S_IRWXG | S_IRWXO) == 0 else {
            throw .refused("\(words) may be read by others (chmod 600)")
        }
        return found.bytes
    }

    /// The address with the account that a new volume's store belongs to.
    static func settledAleph(
        _ address: AlephStoreAddress, seed: SecretBytes?
    ) throws(StoreError) -> StoreURL {
        var settled = address
        settled.account = try AlephNetwork(
            address, account: try account(of: address, seed: seed)
        ).account.address
        return .aleph(settled)
    }

    static func openedAleph(
        _ address: AlephStoreAddress, seed: SecretBytes?
    ) throws(StoreError) -> OpenedStores {
        let network = try AlephNetwork(address, account: try account(of: address, seed: seed))
        return OpenedStores(
            chunks: AlephChunks(network, packSize: address.packSize), pads: AlephPads(network))
    }
}
