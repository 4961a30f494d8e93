// SPDX-License-Identifier: Apache-2.0
//
// Addresses of stores on S3, and where their keys come from.

import Stores
import Testing

@testable import S3

@Suite("Addresses and keys")
struct AddressTests {
    private func read(_ text: String) throws(S3AddressError) -> S3Address {
        try S3Address(afterScheme: text.dropFirst("s3:".count))
    }

    @Test(
        "an address is read, and written as it was meant",
        arguments: [
            ("s3://bucket", "s3://bucket"),
            ("s3://bucket/", "s3://bucket"),
            ("s3://my.bucket-1/a/b/", "s3://my.bucket-1/a/b"),
            ("s3://bucket/with%20space/%C3%BC", "s3://bucket/with%20space/%C3%BC"),
            ("s3://bucket/a%2Cb", "s3://bucket/a%2Cb"),
            (
                "s3://bucket?endpoint=HTTPS://Host.Example:9000/&region=eu-1&style=virtual",
                "s3://bucket?endpoint=https://host.example:9000&region=eu-1&style=virtual"
            ),
            (
                "s3://bucket/p?profile=work&ca=%2Fetc%2Fown.pem",
                "s3://bucket/p?profile=work&ca=/etc/own.pem"
            ),
            ("s3://bucket?credentials=/root/my%20keys", "s3://bucket?credentials=/root/my%20keys"),
        ])
    func addresses(text: String, canonical: String) throws {
        let address = try read(text)
        #expect(address.text == canonical)
        #expect(try read(address.text) == address)
    }

    @Test(
        "what is no address is told apart",
        arguments: [
            ("s3:", .malformed), ("s3:bucket", .malformed), ("s3://", .badBucket),
            ("s3:///x", .badBucket), ("s3://ab", .badBucket), ("s3://Bucket", .badBucket),
            ("s3://-bucket", .badBucket), ("s3://bu..ket", .badBucket),
            ("s3://" + String(repeating: "b", count: 64), .badBucket),
            ("s3://bucket//a", .badPrefix), ("s3://bucket/a//b", .badPrefix),
            ("s3://bucket/../x", .badPrefix), ("s3://bucket/%0a", .badPrefix),
            ("s3://bucket/" + String(repeating: "p", count: 769), .badPrefix),
            ("s3://bucket/%zz", .malformed), ("s3://bucket/%ff", .malformed),
            ("s3://bucket#x", .malformed), ("s3://key:secret@bucket/x", .secretInAddress),
            ("s3://bucket?secret_access_key=x", .secretInAddress),
            ("s3://bucket?endpoint=http://a:b@host", .secretInAddress),
            ("s3://bucket?endpoint=host:80", .badEndpoint),
            ("s3://bucket?endpoint=ftp://host", .badEndpoint),
            ("s3://bucket?endpoint=http://host/path", .badEndpoint),
            ("s3://bucket?endpoint=http://", .badEndpoint),
            ("s3://bucket?color=red", .unknownParameter("color")),
            ("s3://bucket?region=", .badParameter("region")),
            ("s3://bucket?region=a&region=b", .badParameter("region")),
            ("s3://bucket?region=a%2Fb", .badParameter("region")),
            ("s3://bucket?style=odd", .badParameter("style")),
            ("s3://bucket?ca=own.pem", .badParameter("ca")),
            ("s3://bucket?profile=a&credentials=/b", .twoCredentials),
        ] as [(String, S3AddressError)])
    func noAddresses(text: String, error: S3AddressError) {
        #expect(throws: error) { try read(text) }
    }

    /// Surroundings of a test's own.
    private func surroundings(
        _ variables: [String: String], _ files: [String: String] = [:], isOpen: Bool = false
    ) -> Surroundings {
        Surroundings(
            variable: { variables[$0] },
            file: { path in
                files[path].map { Surroundings.File(text: $0, isOpenToOthers: isOpen) }
            }, now: { 0 })
    }

    private let environment = [
        "AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t",
        "HOME": "/home/me",
    ]
    private let files = [
        "/home/me/.aws/credentials": """
        # a comment
        [default]
        aws_access_key_id = SHARED
        aws_secret_access_key=abc=def
        [ work ]
        aws_access_key_id=WORK
        aws_secret_access_key=w
        aws_session_token=wt
        [half]
        aws_access_key_id=HALF
        """,
        "/home/me/.aws/config": """
        [default]
        region = eu-central-1
        s3 =
          addressing_style = path
        [profile work]
        region=ap-south-1
        [profile configured]
        aws_access_key_id=CONFIGURED
        aws_secret_access_key=c
        """,
        "/keys.ini": "access_key_id = INI\r\nsecret_access_key = i\r\nsession_token = it\r\n",
        "/half.ini": "[default]\naccess_key_id = INI\n",
    ]

    @Test(
        "keys and regions are looked for in order",
        arguments: [
            ("s3://bucket", true, "ENV", "t", "eu-central-1"),
            ("s3://bucket", false, "SHARED", nil, "eu-central-1"),
            ("s3://bucket?region=here", false, "SHARED", nil, "here"),
            ("s3://bucket?profile=work", true, "WORK", "wt", "ap-south-1"),
            ("s3://bucket?profile=configured", true, "CONFIGURED", nil, "us-east-1"),
            ("s3://bucket?credentials=/keys.ini", true, "INI", "it", "eu-central-1"),
        ] as [(String, Bool, String, String?, String)])
    func order(
        text: String, hasEnvironment: Bool, key: String, token: String?, region: String
    ) throws {
        let variables = hasEnvironment ? environment : ["HOME": "/home/me"]
        let source = try CredentialSource(read(text), surroundings(variables, files))
        #expect(source.credentials.accessKey == key)
        #expect(source.credentials.sessionToken == token)
        #expect(source.region == region)
    }

    @Test("AWS_PROFILE and the files' own variables count")
    func profileVariables() throws {
        let variables = [
            "AWS_PROFILE": "work", "AWS_SHARED_CREDENTIALS_FILE": "/home/me/.aws/credentials",
            "AWS_CONFIG_FILE": "/home/me/.aws/config",
        ]
        let source = try CredentialSource(read("s3://bucket"), surroundings(variables, files))
        #expect(source.credentials.accessKey == "WORK" && source.region == "ap-south-1")
    }

    @Test(
        "keys that are not there are refused with where they were looked for",
        arguments: [
            ("s3://bucket", [:], "neither in the environment"),
            ("s3://bucket", ["AWS_ACCESS_KEY_ID": "x"], "only one"),
            ("s3://bucket?profile=nobody", ["HOME": "/home/me"], "no profile “nobody”"),
            ("s3://bucket?profile=half", ["HOME": "/home/me"], "has no aws_access_key_id"),
            ("s3://bucket?credentials=/none", [:], "cannot be read"),
            ("s3://bucket?credentials=/half.ini", [:], "no access_key_id"),
            (
                "s3://bucket",
                ["AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "bad key"], "blanks"
            ),
        ] as [(String, [String: String], String)])
    func missing(text: String, variables: [String: String], part: String) throws {
        let address = try read(text)
        #expect {
            try CredentialSource(address, surroundings(variables, files))
        } throws: { error in
            guard case .refused(let sentence) = error as? StoreError else { return false }
            return sentence.contains(part) && !sentence.contains("bad key")
        }
    }

    @Test("a file of keys that others may read is refused")
    func openFile() throws {
        let address = try read("s3://bucket?credentials=/keys.ini")
        #expect {
            try CredentialSource(address, surroundings([:], files, isOpen: true))
        } throws: { error in
            if case .refused(let text) = error as? StoreError {
                text.contains("chmod")
            } else {
                false
            }
        }
    }

    @Test("elements are found in whatever comes, and escapes resolved")
    func xml() {
        let text = XMLText(
            Array("<a><Key>x&amp;y&#65;&#x42;</Key><Key>&bad;</Key><Key></Key>".utf8))
        var found: [String] = []
        text.forEach("Key") { key in
            found.append(key)
            return true
        }
        #expect(found == ["x&yAB", ""])
        for hostile in ["", "<Key>", "</Key><Key>", "<Key>&</Key>", "<Key>&#xD800;</Key>", "<K"] {
            #expect(XMLText(Array(hostile.utf8)).first("Key") == nil)
        }
        #expect(XMLText([0x3C, 0x4B, 0x3E, 0xFF, 0x3C, 0x2F, 0x4B, 0x3E]).first("K") == nil)
    }
}
