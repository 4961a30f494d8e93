// SPDX-License-Identifier: Apache-2.0
//
// Chunks as objects.

internal import Cryptography
internal import HTTP
package import Primitives
package import Stores
internal import Synchronization

extension S3Store: ListableChunkStore {
    /// A dozen uploads hide a round trip of 50 ms behind a line of 1 Gbit/s, and hold 100 MB.
    package var usefulConcurrency: Int { 12 }

    /// An object is paid for by its size and time, and can be deleted.
    package var takesUnnamedChunks: Bool { true }

    /// Up to as many chunks are asked for one by one; more by looking through the listing.
    private static let headLimit = 4

    /// Keeps a chunk. One that is there already is compared by its size and MD5, as the service
    /// has them, and sent whole only if they differ.
    package func put(_ digest: Digest, _ bytes: [UInt8]) throws(StoreError) {
        guard bytes.count <= StoreLimits.maximumChunkSize else { throw .tooLarge }
        try beReady()
        let key = keys.chunk(digest)
        var request = S3Request(method: .put, key: key, body: bytes)
        if !ignoresConditions.load(ordering: .relaxed) {
            request.headers = [("If-None-Match", "*")]
            let response = try client.send(request, accepting: [409, 412, 501])
            switch response.status {
            case 409: break  // Somebody else puts it at this moment: look what came of it.
            case 412: break
            case 501: ignoresConditions.store(true, ordering: .relaxed)
            default: return
            }
            if response.status != 501, try holds(key, bytes) { return }
            request.headers = []
        }
        _ = try client.send(request)
    }

    /// Whether the object has these bytes, as far as the service tells.
    private func holds(_ key: String, _ bytes: [UInt8]) throws(StoreError) -> Bool {
        let response = try client.send(S3Request(method: .head, key: key), accepting: [404])
        guard response.status == 200,
            response.headers.number("Content-Length") == UInt64(bytes.count),
            let tag = response.headers["ETag"]
        else { return false }
        // Encrypted by the service, an object has a tag that is no MD5; then it is sent again.
        return tag.filter { $0 != "\"" } == Hex.encode(MD5.hash(bytes))
    }

    /// The bytes of a chunk, verified.
    package func get(_ digest: Digest) throws(StoreError) -> [UInt8] {
        try beReady()
        let key = keys.chunk(digest)
        let response: HTTPResponse
        if let whole = try object(key, limit: StoreLimits.maximumChunkSize) {
            response = whole
        } else {
            // No chunk is larger; what else it is, is told from as much as a chunk may have.
            var request = S3Request(method: .get, key: key)
            request.headers = [("Range", "bytes=0-\(StoreLimits.maximumChunkSize)")]
            request.answerSize = StoreLimits.maximumChunkSize + 1
            response = try client.send(request, accepting: [404])
        }
        if response.status == 404 { try throwUnlessKeyless(response, .missing(digest)) }
        let got = Digests.of(response.body, algorithm: digest.algorithm)
        guard got == digest else { throw .corrupt(wanted: digest, got: got) }
        return response.body
    }

    /// Throws `missing` if the service says that it has the bucket and not the object.
    func throwUnlessKeyless(
        _ response: HTTPResponse, _ missing: StoreError
    ) throws(StoreError) {
        let failure = S3Failure(response)
        guard failure.code == "NoSuchKey" else {
            throw failure.storeError(bucket: client.address.bucket)
        }
        throw missing
    }

    /// Those of the chunks that have an object.
    ///
    /// The listing is looked through in order, from one that is asked for to the next, so that
    /// there are never more requests than chunks, nor more than one for 1000 objects.
    package func has(_ digests: [Digest]) throws(StoreError) -> Set<Digest> {
        try beReady()
        let wanted = Dictionary(
            digests.map { (keys.chunk($0), $0) }, uniquingKeysWith: { a, _ in a })
        var found: Set<Digest> = []
        if wanted.count <= S3Store.headLimit {
            for (key, digest) in wanted {
                let request = S3Request(method: .head, key: key)
                if try client.send(request, accepting: [404]).isSuccess { found.insert(digest) }
            }
            return found
        }
        var rest = wanted.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }[...]
        while let next = rest.first {
            // A key without its last letter is just before it.
            let page = try page(below: keys.chunks, after: String(next.dropLast()))
            found.formUnion(page.keys.compactMap { wanted[$0] })
            guard page.isTruncated, let last = page.keys.last else { return found }
            rest = rest.drop { !last.utf8.lexicographicallyPrecedes($0.utf8) }
            // Sorted otherwise than by bytes, as one kind of bucket is: then there is no order.
            if rest.first == next { rest = rest.dropFirst() }
        }
        return found
    }

    /// Nothing is left to do: each put was acknowledged.
    package func sync() throws(StoreError) {}

    /// Hands over the digest of each chunk's object.
    package func list(_ body: (Digest) -> Bool) throws(StoreError) {
        try beReady()
        try forEachKey(below: keys.chunks) { key throws(StoreError) in
            guard let digest = keys.digest(ofKey: key) else { return true }
            return body(digest)
        }
    }

    /// Forgets a chunk.
    package func delete(_ digest: Digest) throws(StoreError) {
        try beReady()
        try remove(keys.chunk(digest))
    }

    /// Removes an object that may be gone.
    func remove(_ key: String) throws(StoreError) {
        let response = try client.send(S3Request(method: .delete, key: key), accepting: [404])
        guard response.status == 404 else { return }
        let failure = S3Failure(response)
        guard failure.code == "NoSuchKey" || failure.code.isEmpty else {
            throw failure.storeError(bucket: client.address.bucket)
        }
    }
}
