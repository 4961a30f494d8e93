// SPDX-License-Identifier: Apache-2.0
//
// How stores are named.

import Aleph
import RemoteStores
import S3
import Stores
import Testing

@Suite("Store addresses")
struct StoreURLTests {
    @Test(
        "a folder is named by its path or a file address",
        arguments: [
            ("/srv/cairn", "/srv/cairn"),
            ("/srv/cairn/", "/srv/cairn"),
            ("/srv//cairn///", "/srv//cairn"),
            ("/", "/"),
            ("///", "/"),
            ("/with space/100%/file:x", "/with space/100%/file:x"),
            ("file:///srv/cairn", "/srv/cairn"),
            ("file:///srv/cairn/", "/srv/cairn"),
            ("FILE:///srv", "/srv"),
            ("file:/srv", "/srv"),
            ("file://localhost/srv", "/srv"),
            ("file:///", "/"),
            ("file:///with%20space/100%25", "/with space/100%"),
            ("file:///%e2%82%AC", "/€"),
            ("file:///€", "/€"),
            ("file:///a%3Fb%23c", "/a?b#c"),
            ("file:///a%2fb", "/a/b"),
        ])
    func folders(text: String, path: String) throws {
        let url = try StoreURL(text)
        #expect(url == .folder(path: path))
        #expect(try StoreURL(url.text) == url)
    }

    @Test(
        "what is no address is told apart",
        arguments: [
            ("", .empty),
            ("cairn", .relativePath),
            ("./cairn", .relativePath),
            ("~/cairn", .relativePath),
            ("dir/with:colon", .relativePath),
            (":", .relativePath),
            ("1a:b", .relativePath),
            ("file:", .relativePath),
            ("file:cairn", .relativePath),
            ("file://", .relativePath),
            ("file://nas/share", .foreignHost("nas")),
            ("file://nas", .foreignHost("nas")),
            ("file:///a%", .malformed),
            ("file:///a%4", .malformed),
            ("file:///a%zz", .malformed),
            ("file:///a%00b", .malformed),
            ("file:///a%FF", .malformed),
            ("file:///a?b", .malformed),
            ("file:///a#b", .malformed),
            ("/a\0b", .malformed),
            ("s3://bucket/prefix?endpoint=x", .badS3(.badEndpoint)),
            ("S3://Bucket", .badS3(.badBucket)),
            ("mirror:", .badMirror), ("mirror:/a", .badMirror), ("mirror:/a,/b,/c", .badMirror),
            ("mirror:/a,/a", .badMirror), ("mirror:/a,file:///a/", .badMirror),
            ("mirror:/a,b", .relativePath), ("mirror:/a,mirror:/b,/c", .badMirror),
            ("aleph://host", .notInThisVersion(scheme: "aleph")),
            ("ftp://host", .unknownScheme("ftp")),
            ("c:\\cairn", .unknownScheme("c")),
        ] as [(String, StoreURLError)])
    func refusals(text: String, expected: StoreURLError) {
        #expect(throws: expected) { try StoreURL(text) }
    }

    @Test("a planned kind of store and an unknown one are different sentences")
    func sentences() {
        let planned = StoreURLError.notInThisVersion(scheme: "aleph").description
        let unknown = StoreURLError.unknownScheme("s4").description
        #expect(planned == "this version has no aleph stores yet")
        #expect(unknown == "no kind of store is called s4")
        let all: [StoreURLError] = [.empty, .relativePath, .foreignHost("nas"), .malformed]
        #expect(Set(all.map(\.description)).count == all.count)
    }

    @Test("places on S3 and mirrors are written as they were read")
    func otherKinds() throws {
        for text in [
            "s3://bucket", "s3://bucket/a%2Cb?endpoint=http://host:9000&region=eu",
            "mirror:file:///a%2Cb,s3://bucket/p?profile=x", "mirror:file:///a,file:///b",
        ] {
            let url = try StoreURL(text)
            #expect(url.text == text)
            #expect(try StoreURL(url.text) == url)
        }
        #expect(try StoreURL("mirror:/a/,/b") == .mirror(.folder(path: "/a"), .folder(path: "/b")))
    }

    @Test("opening a folder's address gives its two stores, or says why not")
    func opening() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let url = StoreURL.folder(path: folder.path + "/store")
        let chunk = TestChunk(seed: 1)
        let away = try StoreFactory.open(url, create: false)
        #expect(throws: StoreError.notAStore("there is no such folder")) {
            try away.chunks.put(chunk.digest, chunk.bytes)
        }
        let stores = try StoreFactory.open(url, create: true)
        #expect(try away.chunks.has([chunk.digest]).isEmpty)
        try stores.chunks.put(chunk.digest, chunk.bytes)
        let again = try StoreFactory.open(url, create: false)
        #expect(try again.chunks.get(chunk.digest) == chunk.bytes)
        #expect(again.chunks is any CapacityReporting)
    }

    @Test(
        "an Aleph store is named by its node",
        arguments: [
            ("aleph://api.example.org", "api.example.org", 443),
            ("ALEPH://API.example.org:4024", "api.example.org", 4024),
        ] as [(String, String, UInt16)])
    func alephAddresses(text: String, host: String, port: UInt16) throws {
        let address = try AlephStoreAddress(text)
        #expect(address.host == host && address.port == port)
        #expect(throws: AlephStoreAddressError.notInThisVersion) { try address.open() }
    }

    @Test(
        "what names no Aleph node is refused",
        arguments: [
            "", "aleph", "aleph:", "aleph://", "aleph://:80", "aleph://a b", "aleph://a/b",
            "aleph://a:", "aleph://a:0", "aleph://a:+80", "aleph://a:65536", "aleph://a:1:2",
            "file:///a", "aleph://" + String(repeating: "a", count: 254),
        ])
    func alephRefusals(text: String) {
        #expect(throws: AlephStoreAddressError.malformedAddress) { try AlephStoreAddress(text) }
    }
}
