// SPDX-License-Identifier: Apache-2.0
//
// Records that must never come out otherwise: the format is in other people's stores. They were
// made by a separate program on other libraries, from the format's description alone.

import Testing

/// One frozen record.
struct RecordVector: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let seed: String
    let plain: String
    let encoding: UInt64
    let counter: UInt64
    let address: String
    let readKey: String
    let record: String
    /// The BLAKE3 digest of the record.
    let digest: String
}

extension RecordVector {
    static let all = [
        RecordVector(
            testDescription: "nothing",
            seed: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
            plain: "",
            encoding: 0,
            counter: 1,
            address: "de4351a48dcd57f51c1544609219d2534fbfa531447a31cc7f21cfa2526ae4e6",
            readKey: "83065c8f1a4ab0d835407bec665e7e829413c25cb3177ba201b03aeb544ceaed",
            record:
                "435041440101de4351a48dcd57f51c1544609219d2534fbfa531447a31cc7f21cfa2526ae4e60000"
                + "00000000000000000000000000010000000000000028e10505776aa136638ae4f2df86b7b045990b"
                + "a72bfaacf3f90342211fb8a1f96402d610123fdec7f263ca7f876b1a12d9adab55810ae4ea941fe9"
                + "8f898276131a6727d723e7afc7fa22e9ca28a170ece454d2e43ba8d086168a5300862a2f37bba3a2"
                + "e01b6929ea0a",
            digest: "d66688a1c0278b8aeb2c81c3d5e581cba728e4ede5dfc02a437a68c31121a3a0"),
        RecordVector(
            testDescription: "a line of text",
            seed: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
            plain: "4f6e652073617665206973206f6e652062756d702e0a",
            encoding: 42,
            counter: 7,
            address: "de4351a48dcd57f51c1544609219d2534fbfa531447a31cc7f21cfa2526ae4e6",
            readKey: "83065c8f1a4ab0d835407bec665e7e829413c25cb3177ba201b03aeb544ceaed",
            record:
                "435041440101de4351a48dcd57f51c1544609219d2534fbfa531447a31cc7f21cfa2526ae4e60000"
                + "00000000002a0000000000000007000000000000003e20256acb2a3c58686f3173f37ce9176fab8a"
                + "15ce9d76107b413954876088a59c72b3c47a49b0398d5ebb5b62e5985aab2eecdc3bbf9d29799f30"
                + "e56d2381442c40f7070274affdc16ea9293446fa5398a8ff28be117b9218ce514ef1a49a299fb9a5"
                + "30ece4deeb917210d484bfbdb8f60a0fc7c0c4efee2f74554e6f0201",
            digest: "faf8c191fd2004c98b3b42ba063d113b915e1f3804908c8500cdbfed4db036df"),
        RecordVector(
            testDescription: "the largest numbers",
            seed: "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            plain:
                "030a11181f262d343b424950575e656c737a81888f969da4abb2b9c0c7ced5dce3eaf1f8ff060d14"
                + "1b222930373e454c535a61686f767d848b9299a0a7aeb5bcc3cad1d8dfe6edf4fb020910171e252c"
                + "333a41484f565d646b727980878e959ca3aab1b8",
            encoding: 18446744073709551615,
            counter: 18446744073709551615,
            address: "da0c3b218fa8d58c83246c9f11b1b957e6d2f6f9c90227408f1acc7858d27650",
            readKey: "4f512cc88e50a49d607e008fdad5942d15ca6af21f2463172e83557cf2f0d104",
            record:
                "435041440101da0c3b218fa8d58c83246c9f11b1b957e6d2f6f9c90227408f1acc7858d27650ffff"
                + "ffffffffffffffffffffffffffff000000000000008c07b456d28c7f7189e8ebe6ec7ed07ef256a9"
                + "fe2766f65951dc341917ea4dc45a28a3aa2937a0862ad75c7c0ec33484b9eff04c982ae9c578bb4b"
                + "09482e6fc2296c59a3c82dcacfd1e4c096058be116a69bd27d6708afffa67ea1627ad286d84ccf13"
                + "ad6b19d89cfbc10e01ebde1684e7cca3eed1ee3dc3a045b743ec578185f047aa4f3a63d17f0e5459"
                + "2551399275f22a97cd2595b213da575a3a1bca9763039e9ada53a8f2598b727a8d877e8e8704771c"
                + "d188c02cf5ec4614fa72f09164a74b1779d8affd7b6b3a175900",
            digest: "cde4f97ccf5bb864b70b154c1fd2ee8bf86c431ba8326020c3a58fa03dad0823"),
    ]
}
