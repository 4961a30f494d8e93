// SPDX-License-Identifier: Apache-2.0
//
// Whom a client trusts. The server is OpenSSL's own, with certificates made for the test.

import Foundation
import HTTP
import LocalServer
import Testing

@Suite("Certificates", .timeLimit(.minutes(5)))
struct TLSTests {
    /// OpenSSL's test server, with a certificate of its own making.
    private final class SecureServer {
        let folder: URL
        let url: String
        private let process = Process()

        var certificateFile: String { folder.appendingPathComponent("cert.pem").path }

        init(name: String) throws {
            folder = FileManager.default.temporaryDirectory
                .appendingPathComponent("cairn-tls-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let free = try LocalServer { _ in [] }
            free.stop()
            url = "https://127.0.0.1:\(free.port)/"
            let key = folder.appendingPathComponent("key.pem").path
            let cert = folder.appendingPathComponent("cert.pem").path
            try SecureServer.openssl([
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=test",
                "-addext", "subjectAltName=\(name)",
            ])
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = [
                "openssl", "s_server", "-accept", "127.0.0.1:\(free.port)", "-key", key, "-cert",
                cert, "-www", "-quiet",
            ]
            process.standardOutput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            try process.run()
        }

        func stop() {
            // Threads of a test run block the signals that end a program, and it inherits that.
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            // What is left behind is a temporary folder.
            try? FileManager.default.removeItem(at: folder)
        }

        private static func openssl(_ arguments: [String]) throws {
            let run = Process()
            run.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            run.arguments = ["openssl"] + arguments
            run.standardError = FileHandle.nullDevice
            try run.run()
            run.waitUntilExit()
            try #require(run.terminationStatus == 0)
        }
    }

    /// Asked until the server is up.
    private func outcome(_ client: HTTPClient, _ url: String) -> HTTPError.Cause? {
        let end = ContinuousClock.now + .seconds(20)
        while true {
            let failure = cause { () throws(HTTPError) in
                try client.perform(HTTPRequest(.get, url, sink: .collect(limit: 1 << 20)))
            }
            guard failure == .refused, ContinuousClock.now < end else { return failure }
            Thread.sleep(forTimeInterval: 0.02)
        }
    }

    @Test("a certificate nobody vouches for is not trusted, one from the own file is")
    func ownCertificate() throws {
        let server = try SecureServer(name: "IP:127.0.0.1")
        defer { server.stop() }
        guard case .untrusted(let reason) = outcome(testClient(), server.url) else {
            Issue.record("trusted a stranger")
            return
        }
        #expect(!reason.isEmpty)
        let trusting = testClient(certificateFile: server.certificateFile)
        #expect(outcome(trusting, server.url) == nil)
    }

    @Test("a certificate for another name is not trusted")
    func otherName() throws {
        let server = try SecureServer(name: "DNS:elsewhere.example")
        defer { server.stop() }
        let trusting = testClient(certificateFile: server.certificateFile)
        guard case .untrusted = outcome(trusting, server.url) else {
            Issue.record("trusted another name")
            return
        }
    }

    @Test("a file of certificates that is not there says so")
    func missingFile() throws {
        let server = try SecureServer(name: "IP:127.0.0.1")
        defer { server.stop() }
        let client = testClient(certificateFile: server.folder.path + "/none.pem")
        guard case .untrusted = outcome(client, server.url) else {
            Issue.record("went on without its certificates")
            return
        }
    }

    @Test("a server that speaks plainly makes no secure connection")
    func plain() throws {
        let pair = try Pair { _ in [.answer(200)] }
        defer { pair.stop() }
        let url = "https://127.0.0.1:\(pair.server.port)/"
        let timeouts = HTTPTimeouts(connect: .seconds(1))
        let failure = cause { () throws(HTTPError) in
            try pair.client.perform(
                HTTPRequest(.get, url, sink: .collect(limit: 0), timeouts: timeouts))
        }
        switch failure {
        case .handshake, .timedOut(.connecting): break
        default: Issue.record("\(String(describing: failure))")
        }
    }
}
