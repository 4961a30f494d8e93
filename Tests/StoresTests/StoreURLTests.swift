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
            ("aleph:host", .badAleph(.malformedAddress)),
            ("aleph://host?payment=gold", .badAleph(.badOption("payment"))),
            ("ftp://host", .unknownScheme("ftp")),
            ("c:\\cairn", .unknownScheme("c")),
        ] as [(String, StoreURLError)])
    func refusals(text: String, expected: StoreURLError) {
        #expect(throws: expected) { try StoreURL(text) }
    }

    @Test("an unknown kind of store is named in a sentence, and each reason has its own")
    func sentences() {
        #expect(StoreURLError.unknownScheme("s4").description == "no kind of store is called s4")
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
        "an Aleph store is named by its nodes, and written as it was read",
        arguments: [
            ("aleph://api.example.org", "aleph://api.example.org"),
            ("ALEPH://API.example.org:4024/", "aleph://api.example.org:4024"),
            ("aleph://a,b:1,c", "aleph://a,b:1,c"), ("aleph://a%2Cb%2cc", "aleph://a,b,c"),
            ("aleph://a?payment=credit&pack=26214400", "aleph://a"),
            (
                "aleph://a?pack=4194336&scheme=http&key=/k%20y&chain=eth&payment=hold",
                "aleph://a?payment=hold&chain=ETH&key=/k%20y&pack=4194336&scheme=http"
            ),
            (
                "aleph://a?account=7e5pxK83ceXb2iWXBizF1U8MdL7C5VcVBBXpDWaYo3x1",
                "aleph://a?account=7e5pxK83ceXb2iWXBizF1U8MdL7C5VcVBBXpDWaYo3x1"
            ),
        ])
    func alephAddresses(text: String, written: String) throws {
        let url = try StoreURL(text)
        #expect(url.text == written)
        #expect(try StoreURL(url.text) == url)
        let mirror = try StoreURL("mirror:/a,\(url.text.replacing(",", with: "%2C"))")
        #expect(try StoreURL(mirror.text) == mirror)
    }

    @Test(
        "what names no Aleph store is refused",
        arguments: [
            ("aleph:", .malformedAddress), ("aleph://", .malformedAddress),
            ("aleph://:80", .malformedAddress), ("aleph://a b", .malformedAddress),
            ("aleph://a/b", .malformedAddress), ("aleph://a:", .malformedAddress),
            ("aleph://a:0", .malformedAddress), ("aleph://a:+80", .malformedAddress),
            ("aleph://a:65536", .malformedAddress), ("aleph://a:1:2", .malformedAddress),
            ("aleph://a,", .malformedAddress), ("aleph://a,a", .malformedAddress),
            ("aleph://" + String(repeating: "a", count: 254), .malformedAddress),
            ("aleph://1,2,3,4,5,6,7,8,9", .tooManyNodes), ("aleph://a?x=1", .badOption("x")),
            ("aleph://a?pack=5", .badOption("pack")),
            ("aleph://a?pack=+9999999", .badOption("pack")),
            ("aleph://a?pack=1073741825", .badOption("pack")),
            ("aleph://a?key=relative", .badOption("key")),
            ("aleph://a?key=/%00", .badOption("key")),
            ("aleph://a?account=me", .badOption("account")),
            ("aleph://a?chain=DOT", .badOption("chain")),
            ("aleph://a?payment=hold&payment=hold", .badOption("payment")),
            ("aleph://a?payment", .badOption("payment")),
            ("aleph://a?scheme=ftp", .badOption("scheme")),
        ] as [(String, AlephStoreAddressError)])
    func alephRefusals(text: String, expected: AlephStoreAddressError) {
        #expect(throws: StoreURLError.badAleph(expected)) { try StoreURL(text) }
    }
}
