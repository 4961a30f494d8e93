// SPDX-License-Identifier: Apache-2.0
//
// Who may do everything.

import Testing

@testable import FuseHost

@Suite("who may do everything")
struct SuperuserTests {
    private static let machine = "user:[4026531837]"

    private func isSuperuser(
        uid: String = "0\t0\t0\t0", capabilities: String = "000001ffffffffff",
        namespace: String = SuperuserTests.machine
    ) -> Bool {
        let status = "Name:\tcairn\nUid:\t\(uid)\nGid:\t5\nCapPrm:\t0\nCapEff:\t\(capabilities)\n"
        return Superuser.isSuperuser(status: Array(status.utf8), namespace: Array(namespace.utf8))
    }

    @Test("root with root's capabilities, in the machine's own user namespace")
    func root() {
        #expect(isSuperuser())
        #expect(isSuperuser(capabilities: "00000000a80425fb"), "as containers have it")
        #expect(isSuperuser(capabilities: "1b"))
    }

    @Test(
        "not root without one of the capabilities that set permissions aside",
        arguments: ["0", "1e", "1d", "17", "0f", "000001ffffffffe4", "", "x"])
    func lacks(capabilities: String) {
        #expect(!isSuperuser(capabilities: capabilities))
    }

    @Test("nobody who is, or was, or may become another user")
    func others() {
        for uid in ["1000\t1000\t1000\t1000", "0\t1000\t0\t0", "1000\t0\t0\t0", "0\t0\t0\t7"] {
            #expect(!isSuperuser(uid: uid))
        }
    }

    @Test("not root of another user namespace, nor who is told nothing")
    func namespaces() {
        #expect(!isSuperuser(namespace: "user:[4026532000]"))
        #expect(!isSuperuser(namespace: ""))
        #expect(!Superuser.isSuperuser(status: [], namespace: Array(Self.machine.utf8)))
    }
}
