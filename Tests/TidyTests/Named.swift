// SPDX-License-Identifier: Apache-2.0
//
// The files and targets that a rule names. To be in one of these lists is a decision: whoever adds
// a line here says to the next reader that it was meant.

/// What the rules know by name.
enum Named {
    /// Files that are data, and so may be long.
    static let data: Set<String> = []

    /// Layers, from the bottom. docs/ARCHITECTURE.md §4 draws them.
    static let layers: [String: Int] = [
        "COpenSSL": -1, "CSodium": -1, "CBrotli": -1, "CSQLite": -1, "CBlake3": -1, "CLinux": -1,
        "CFuse": -1, "CCurl": -1, "CSecp256k1": -1, "PowerLossLayer": -1,
        "Primitives": 0, "Threading": 0, "Cryptography": 0, "Compression": 0, "JSON": 0,
        "BLS12381": 0,
        "SelfEncryption": 1, "Scratchpads": 1, "Namespace": 1, "Autonomi": 1, "AlephProtocol": 1,
        "HTTP": 2, "S3": 2, "StoreWrappers": 2, "Stores": 2, "RemoteStores": 2, "Aleph": 2,
        "AlephStores": 2, "Metadata": 2, "Blocks": 2,
        "Engine": 3, "Check": 4, "FuseHost": 4, "Control": 5, "cairn": 5,
        // Above all that is shipped, so that nothing of it can depend on this.
        "TestSupport": 6, "ChunkBench": 6, "HotPaths": 6, "AlephNode": 6,
    ]

    /// Who may depend on whom within a layer. No pair is the reverse of another.
    static let peers: Set<[String]> = [
        ["Cryptography", "Primitives"], ["BLS12381", "Primitives"],
        ["BLS12381", "Cryptography"], ["Namespace", "SelfEncryption"],
        ["Namespace", "Scratchpads"], ["Autonomi", "SelfEncryption"],
        ["RemoteStores", "Stores"], ["Aleph", "Stores"], ["RemoteStores", "HTTP"],
        ["Aleph", "HTTP"], ["S3", "HTTP"], ["S3", "Stores"],
        ["StoreWrappers", "Stores"], ["RemoteStores", "S3"], ["RemoteStores", "StoreWrappers"],
        ["AlephStores", "Aleph"], ["AlephStores", "HTTP"], ["AlephStores", "Stores"],
        ["RemoteStores", "Aleph"], ["RemoteStores", "AlephStores"],
        ["cairn", "Control"], ["HotPaths", "TestSupport"],
    ]

    /// What a target may never depend on, though it lies below: the engine knows neither its stores
    /// nor the kernel, and only one target knows the kernel's library.
    static let forbidden: [String: Set<String>] = [
        "Engine": [
            "RemoteStores", "S3", "StoreWrappers", "HTTP", "Aleph", "AlephStores", "CFuse",
            "CLinux", "CSQLite",
        ],
        "Control": ["CFuse", "CSQLite", "COpenSSL", "CSodium", "CSecp256k1", "CCurl"],
        "cairn": ["CFuse", "CSQLite", "COpenSSL", "CSodium", "CSecp256k1", "CLinux", "CCurl"],
    ]

    /// Targets without clocks, files, sockets, or randomness of their own.
    static let pure: Set<String> = [
        "Primitives", "Compression", "JSON", "BLS12381", "SelfEncryption", "Scratchpads",
        "Namespace", "AlephProtocol", "Autonomi",
    ]

    /// Files of them that call the system all the same.
    static let systemCallers: Set<String> = ["Sources/Primitives/Lock.swift"]

    /// Files in which `unsafe` may stand.
    static let unsafeFiles: Set<String> = [
        "Sources/Aleph/AlephTime.swift",
        "Sources/Blocks/Arena+Read.swift",
        "Sources/Blocks/ArenaFile.swift",
        "Sources/Blocks/ReferencedBits.swift",
        "Sources/Blocks/StateLock.swift",
        "Sources/Compression/Brotli+Stored.swift",
        "Sources/Compression/Brotli.swift",
        "Sources/Control/Copying/LocalTree+Attributes.swift",
        "Sources/Control/Copying/LocalTree.swift",
        "Sources/Control/Daemon/MountPoint.swift",
        "Sources/Control/Protocol/ControlChannel.swift",
        "Sources/Control/Protocol/ControlServer.swift",
        "Sources/Control/State/SecretInput.swift",
        "Sources/Control/System/Descriptor.swift",
        "Sources/Control/System/FileFacts.swift",
        "Sources/Control/System/Files.swift",
        "Sources/Control/System/Mailbox.swift",
        "Sources/Control/System/ProcessLaunch.swift",
        "Sources/Control/System/ProcessSettings.swift",
        "Sources/Control/System/SystemError.swift",
        "Sources/Control/System/Signals.swift",
        "Sources/Control/System/Terminal.swift",
        "Sources/Control/System/UnixAddress.swift",
        "Sources/Control/System/Wiping.swift",
        "Sources/Cryptography/Argon2id.swift",
        "Sources/Cryptography/Blake3.swift",
        "Sources/Cryptography/Blake3Hasher.swift",
        "Sources/Cryptography/ChaCha20.swift",
        "Sources/Cryptography/Cipher.swift",
        "Sources/Cryptography/Ed25519.swift",
        "Sources/Cryptography/Ed25519KeyPair.swift",
        "Sources/Cryptography/HashFunction.swift",
        "Sources/Cryptography/SHA2.swift",
        "Sources/Cryptography/SHA256Hasher.swift",
        "Sources/Cryptography/SealedBox.swift",
        "Sources/Cryptography/Secp256k1.swift",
        "Sources/Cryptography/SecretBytes.swift",
        "Sources/Cryptography/Span+Pointer.swift",
        "Sources/Cryptography/SystemRandom.swift",
        "Sources/Cryptography/XChaCha20Poly1305.swift",
        "Sources/Engine/Clock.swift",
        "Sources/Engine/ContentReader.swift",
        "Sources/FuseHost/CallbackTable.swift",
        "Sources/FuseHost/DeadMount.swift",
        "Sources/FuseHost/DirectoryOperations.swift",
        "Sources/FuseHost/FileOperations.swift",
        "Sources/FuseHost/FuseHelper.swift",
        "Sources/FuseHost/FuseLog.swift",
        "Sources/FuseHost/FuseSession.swift",
        "Sources/FuseHost/LaneRequest.swift",
        "Sources/FuseHost/MountPointCheck.swift",
        "Sources/FuseHost/Request.swift",
        "Sources/FuseHost/RequestHost.swift",
        "Sources/FuseHost/SystemFile.swift",
        "Sources/FuseHost/ThreadScratch.swift",
        "Sources/FuseHost/WakeSignal.swift",
        "Sources/HTTP/CurlConnection.swift",
        "Sources/HTTP/CurlOptions.swift",
        "Sources/HTTP/CurlShare.swift",
        "Sources/HTTP/CurlTransfer.swift",
        "Sources/Metadata/DirectWriter.swift",
        "Sources/Metadata/MetadataDatabase+Opening.swift",
        "Sources/Metadata/RedoFile.swift",
        "Sources/Metadata/SQLiteConnection.swift",
        "Sources/Metadata/SQLiteStatement.swift",
        "Sources/Metadata/SyncedFile.swift",
        "Sources/Metadata/WriteAheadLog.swift",
        "Sources/Primitives/Base64.swift",
        "Sources/Primitives/ByteReader.swift",
        "Sources/Primitives/ByteWriter.swift",
        "Sources/Primitives/Digest.swift",
        "Sources/Primitives/Lock.swift",
        "Sources/RemoteStores/Aleph/StoreFactory+Aleph.swift",
        "Sources/RemoteStores/Autonomi/DaemonPort.swift",
        "Sources/RemoteStores/Autonomi/PointerLock.swift",
        "Sources/RemoteStores/Autonomi/SpendingBudget.swift",
        "Sources/RemoteStores/KnownStores.swift",
        "Sources/RemoteStores/Folder.swift",
        "Sources/RemoteStores/OpenFile.swift",
        "Sources/S3/Surroundings.swift",
        "Sources/SelfEncryption/RepeatingPad.swift",
        "Sources/Threading/Monitor.swift",
        "Sources/Threading/SystemThread.swift",
        "Tests/BlocksTests/ArenaDiskTests.swift",
        "Tests/BlocksTests/WrittenExtents.swift",
        "Tests/ChunkBench/Command.swift",
        "Tests/ControlTests/ControlSocketTests.swift",
        "Tests/EngineTests/TestVolume.swift",
        "Tests/FuseHostTests/ReplyTests.swift",
        "Tests/FuseHostTests/TemporaryFolder.swift",
        "Tests/HTTPTests/FullListener.swift",
        "Tests/LocalServer/Input.swift",
        "Tests/LocalServer/LocalServer.swift",
        "Tests/FuzzTests/Entry/FuzzEntry.swift",
        "Tests/MetadataTests/DirectWriterTests.swift",
        "Tests/MetadataTests/LogTests.swift",
        "Tests/MountTests/SystemCalls.swift",
        "Tests/StoresTests/FolderStoreFileTests.swift",
        "Tests/StoresTests/TestSupport.swift",
        "Tests/TestSupport/PageCache.swift",
        "Tests/TestSupport/SmallDisk.swift",
        "Tests/ThreadingTests/ThreadingTests.swift",
        "Tests/TidyTests/SourceTree.swift",
    ]

    /// Files that may import a module of C.
    static let cImports: [String: Set<String>] = [
        "COpenSSL": [
            "Sources/Cryptography/Cipher.swift",
            "Sources/Cryptography/HashFunction.swift",
            "Sources/Cryptography/SHA2.swift",
            "Sources/Cryptography/SHA256Hasher.swift",
        ],
        "CSecp256k1": [
            "Sources/Cryptography/Secp256k1.swift"
        ],
        "CSodium": [
            "Sources/Cryptography/Argon2id.swift",
            "Sources/Cryptography/Blake3Hasher.swift",
            "Sources/Cryptography/ChaCha20.swift",
            "Sources/Cryptography/Ed25519.swift",
            "Sources/Cryptography/Ed25519KeyPair.swift",
            "Sources/Cryptography/SealedBox.swift",
            "Sources/Cryptography/SecretBytes.swift",
            "Sources/Cryptography/SodiumLibrary.swift",
            "Sources/Cryptography/SystemRandom.swift",
            "Sources/Cryptography/XChaCha20Poly1305.swift",
        ],
        "CBrotli": [
            "Sources/Compression/Brotli.swift"
        ],
        "CCurl": [
            "Sources/HTTP/CurlConnection.swift",
            "Sources/HTTP/CurlOptions.swift",
            "Sources/HTTP/CurlShare.swift",
        ],
        "CSQLite": [
            "Sources/Metadata/SQLiteConnection.swift",
            "Sources/Metadata/SQLiteStatement.swift",
        ],
        "CBlake3": [
            "Sources/Cryptography/Blake3.swift",
            "Sources/Cryptography/Blake3Hasher.swift",
        ],
        "CLinux": [
            "Sources/Blocks/ArenaFile.swift",
            "Sources/Control/Copying/LocalTree+Attributes.swift",
            "Sources/Control/Copying/LocalTree.swift",
            "Sources/Control/Protocol/ControlChannel.swift",
            "Sources/Control/System/ProcessSettings.swift",
            "Sources/Metadata/DirectWriter.swift",
            "Sources/Metadata/RedoFile.swift",
            "Sources/Metadata/WriteAheadLog.swift",
            "Sources/RemoteStores/Folder.swift",
            "Sources/RemoteStores/OpenFile.swift",
            "Sources/Threading/HeapMemory.swift",
            "Sources/Threading/Processors.swift",
            "Sources/Threading/SystemThread.swift",
        ],
        "CFuse": [
            "Sources/FuseHost/AttributeOperations.swift",
            "Sources/FuseHost/CallbackTable.swift",
            "Sources/FuseHost/ConnectionTerms.swift",
            "Sources/FuseHost/DeadMount.swift",
            "Sources/FuseHost/DirectoryOperations.swift",
            "Sources/FuseHost/FileOperations.swift",
            "Sources/FuseHost/FuseLog.swift",
            "Sources/FuseHost/FuseReply.swift",
            "Sources/FuseHost/FuseSession.swift",
            "Sources/FuseHost/Request.swift",
            "Sources/FuseHost/RequestHost+Connection.swift",
            "Sources/FuseHost/RequestHost.swift",
            "Sources/FuseHost/ThreadScratch.swift",
            "Tests/FuseHostTests/OptionsTests.swift",
            "Tests/FuseHostTests/ReplyTests.swift",
        ],
    ]

    /// Points of docs/SEMANTICS.md, by how they begin, that no test quotes.
    static let untested: [String] = []
}
