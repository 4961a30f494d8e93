// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
//
// The layers of Cairn. Dependencies point strictly downward; TidyTests checks the import table
// against this file, and `--explicit-target-dependency-import-check error` keeps it honest.

import PackageDescription

let strict: [SwiftSetting] = [
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// For a target that is too slow for the tests otherwise.
let optimised: [SwiftSetting] = [.unsafeFlags(["-O"])]

func library(
    _ name: String, _ dependencies: [Target.Dependency], _ more: [SwiftSetting] = []
) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict + more)
}

func tests(
    _ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = [],
    exclude: [String] = []
) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, exclude: exclude, resources: resources,
        swiftSettings: strict)
}

/// What tests of several targets run against: servers and stores of their own.
func testPart(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(
        name: name, dependencies: dependencies, path: "Tests/\(name)", swiftSettings: strict)
}

/// `make fuzz` builds the parsers of FuzzTests for libFuzzer instead of as tests: every target is
/// then compiled with its instrumentation, so no other build should have such a program.
func fuzzer(_ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: "Fuzz", dependencies: dependencies, path: "Tests/FuzzTests",
        exclude: ["Corpus", "Mutator.swift", "ParserTests.swift"], sources: ["Parsers", "Entry"],
        swiftSettings: strict)
}

let package = Package(
    name: "cairn",
    products: [.executable(name: "cairn", targets: ["cairn"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2")
    ],
    targets: [
        // C: Debian's libraries, and the shims of our own.
        .systemLibrary(name: "COpenSSL"),
        .systemLibrary(name: "CSodium"),
        .systemLibrary(name: "CBrotli"),
        .systemLibrary(name: "CCurl"),
        .systemLibrary(name: "CSecp256k1"),
        .systemLibrary(name: "CSQLite"),
        .target(name: "CBlake3", cSettings: [.unsafeFlags(["-O3", "-Wall", "-Werror"])]),
        .target(name: "CLinux", cSettings: [.unsafeFlags(["-Wall", "-Werror"])]),
        .target(
            name: "CFuse", cSettings: [.unsafeFlags(["-O2", "-Wall", "-Werror"])],
            linkerSettings: [.linkedLibrary("fuse3"), .linkedLibrary("uring")]),

        // L0: pure, but for threads and what the C libraries do.
        library("Primitives", []),
        library("JSON", []),
        library("Threading", ["CLinux"]),
        library(
            "Cryptography", ["Primitives", "CBlake3", "COpenSSL", "CSodium", "CSecp256k1"]),
        library("Compression", ["CBrotli"]),
        // Optimised in every build: it is arithmetic that is many times slower without.
        library("BLS12381", ["Primitives", "Cryptography"], optimised),

        // L1: pure.
        library("SelfEncryption", ["Primitives", "Cryptography", "Compression"]),
        library("Scratchpads", ["Primitives", "Cryptography", "BLS12381"]),
        library(
            "Namespace",
            ["Primitives", "Cryptography", "Compression", "SelfEncryption", "Scratchpads"]),

        library("Autonomi", ["Primitives", "SelfEncryption"]),
        library("AlephProtocol", ["Primitives", "Cryptography", "JSON"]),

        // L2: the shell: disks, databases, networks.
        library("HTTP", ["Primitives", "Threading", "CCurl"]),
        library("Stores", ["Primitives", "Scratchpads"]),
        library(
            "StoreWrappers", ["Primitives", "Cryptography", "Scratchpads", "Stores", "Threading"]),
        library("S3", ["Primitives", "Cryptography", "Scratchpads", "Stores", "HTTP"]),
        library("Aleph", ["Primitives", "Cryptography", "JSON", "AlephProtocol", "HTTP"]),
        library(
            "AlephStores",
            [
                "Primitives", "Cryptography", "JSON", "Threading", "AlephProtocol", "Aleph", "HTTP",
                "Scratchpads", "Stores",
            ]),
        library(
            "RemoteStores",
            [
                "Primitives", "Cryptography", "JSON", "Autonomi", "AlephProtocol", "Aleph",
                "AlephStores", "Scratchpads", "HTTP", "Stores", "StoreWrappers", "S3", "Threading",
                "CLinux",
            ]),
        library(
            "Metadata",
            ["Primitives", "SelfEncryption", "Scratchpads", "Namespace", "CSQLite", "CLinux"]),
        library("Blocks", ["Primitives", "Cryptography", "CLinux"]),

        // L3: the engine. It knows neither its stores nor the kernel.
        library(
            "Engine",
            [
                "Primitives", "Cryptography", "Compression", "SelfEncryption", "Scratchpads",
                "Autonomi", "AlephProtocol", "Namespace", "Stores", "Metadata", "Blocks",
                "Threading",
            ]),

        // L4: the kernel, and the check: both over the engine.
        library(
            "Check",
            [
                "Primitives", "Cryptography", "Compression", "SelfEncryption", "Scratchpads",
                "Namespace", "Stores", "Metadata", "Blocks", "Threading", "Engine",
            ]),
        library("FuseHost", ["Engine", "Namespace", "CFuse", "Threading"]),

        // L5: the command, and all of it that is worth a test.
        library(
            "Control",
            [
                "Autonomi", "SelfEncryption", "Primitives", "Cryptography", "Compression",
                "Scratchpads", "Namespace", "Stores", "RemoteStores",
                "Blocks", "Engine", "Check", "FuseHost", "CLinux", "Threading", "HTTP", "JSON",
                "AlephProtocol", "Aleph",
            ]),
        .executableTarget(
            name: "cairn",
            dependencies: [
                "Control",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),

        // What the tests of many targets share. Nothing that is shipped depends on it.
        .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: strict),
        testPart("LocalServer", []),
        testPart("AntdDouble", ["LocalServer", "JSON", "Primitives", "Cryptography"]),
        testPart(
            "AlephNodeDouble", ["Aleph", "AlephProtocol", "Cryptography", "JSON", "LocalServer"]),
        testPart("S3Double", ["TestSupport", "LocalServer", "Cryptography", "Primitives"]),
        testPart(
            "FaultStore", ["TestSupport", "Primitives", "Scratchpads", "Stores"]),
        tests(
            "S3Tests",
            [
                "TestSupport", "S3", "S3Double", "LocalServer", "HTTP", "Cryptography",
                "Primitives", "Scratchpads", "Stores",
            ]),
        tests(
            "StoreWrappersTests",
            [
                "TestSupport", "FaultStore", "StoreWrappers", "Stores", "Cryptography",
                "Primitives", "Scratchpads",
            ]),
        tests("HTTPTests", ["TestSupport", "HTTP", "LocalServer"]),
        tests("PrimitivesTests", ["TestSupport", "Primitives"]),
        tests("JSONTests", ["TestSupport", "JSON"]),
        tests("ThreadingTests", ["TestSupport", "Threading"]),
        tests(
            "CryptographyTests", ["TestSupport", "Cryptography", "Primitives"],
            resources: [.copy("Vectors")]),
        tests(
            "BLS12381Tests", ["TestSupport", "BLS12381", "Primitives", "Cryptography"],
            resources: [.copy("Vectors")]),
        tests(
            "CompressionTests", ["TestSupport", "Compression", "Cryptography", "Primitives"],
            resources: [.copy("Vectors")]),
        tests(
            "SelfEncryptionTests",
            ["TestSupport", "SelfEncryption", "Primitives", "Cryptography", "Compression"],
            resources: [.copy("Vectors")]),
        tests(
            "ScratchpadsTests", ["TestSupport", "Scratchpads", "Primitives", "Cryptography"],
            resources: [.copy("Vectors")]),
        tests(
            "NamespaceTests",
            [
                "TestSupport",
                "Namespace", "Primitives", "Cryptography", "Compression", "SelfEncryption",
                "Scratchpads",
            ]),
        tests(
            "AutonomiTests",
            ["Autonomi", "Primitives", "Cryptography", "Compression", "SelfEncryption"],
            resources: [.copy("Vectors")]),
        tests(
            "StoresTests",
            [
                "TestSupport", "FaultStore", "AntdDouble", "S3Double", "S3", "HTTP",
                "StoreWrappers", "Stores", "RemoteStores", "Aleph", "AlephProtocol", "AlephStores",
                "AlephNodeDouble", "LocalServer", "JSON", "Scratchpads", "Primitives",
                "Cryptography",
            ]),
        tests(
            "AlephTests",
            [
                "TestSupport", "Aleph", "AlephProtocol", "HTTP", "JSON", "Cryptography",
                "Primitives", "LocalServer", "AlephNodeDouble",
            ],
            resources: [.copy("Vectors")]),
        tests(
            "MetadataTests",
            ["TestSupport", "Metadata", "Primitives", "SelfEncryption", "Scratchpads", "Namespace"]),
        tests("BlocksTests", ["TestSupport", "Blocks", "Primitives", "Cryptography"]),
        tests(
            "EngineTests",
            [
                "TestSupport", "FaultStore", "StoreWrappers", "Check",
                "Engine", "Autonomi", "Primitives", "Cryptography", "Compression",
                "SelfEncryption", "Scratchpads", "Namespace", "Metadata", "Blocks", "Stores",
                "RemoteStores", "AlephProtocol",
            ]),
        tests(
            "CheckTests",
            [
                "TestSupport", "Check", "Primitives", "Cryptography", "Scratchpads", "Namespace",
                "SelfEncryption", "Stores", "RemoteStores", "Metadata", "Blocks", "Engine",
            ]),
        tests(
            "ControlTests",
            [
                "TestSupport",
                "Control", "Primitives", "Cryptography", "Compression", "Scratchpads",
                "Namespace", "Stores",
                "RemoteStores", "Engine", "FuseHost", "Aleph", "AlephProtocol", "JSON",
                "AlephNodeDouble", "LocalServer", "Threading",
            ]),
        tests(
            "FuseHostTests",
            ["TestSupport", "FuseHost", "Engine", "Namespace", "CFuse", "Threading"]),
        // A double of a node as a program, to try `cairn aleph` on and to measure with.
        .executableTarget(
            name: "AlephNode", dependencies: ["AlephNodeDouble", "JSON"], path: "Tests/AlephNode",
            swiftSettings: strict),
        // Measures; docs/performance.md has the commands.
        .executableTarget(
            name: "ChunkBench",
            dependencies: ["Primitives", "Cryptography", "Compression", "SelfEncryption"],
            path: "Tests/ChunkBench", swiftSettings: strict),
        .executableTarget(
            name: "HotPaths",
            dependencies: [
                "TestSupport", "Primitives", "Cryptography", "Compression", "SelfEncryption",
                "Namespace", "RemoteStores", "Engine",
            ],
            path: "Tests/HotPaths", swiftSettings: strict),
        tests(
            "FuzzTests",
            [
                "TestSupport", "Primitives", "Cryptography", "Compression", "SelfEncryption",
                "BLS12381", "Scratchpads", "Namespace", "RemoteStores", "Metadata", "Blocks",
                "Engine", "Control", "AlephProtocol", "AlephStores", "JSON",
            ], resources: [.copy("Corpus")], exclude: ["Entry"]),
        tests("TidyTests", []),
        tests(
            "MountTests",
            ["TestSupport", "AntdDouble", "AlephNodeDouble", "S3Double", "LocalServer", "JSON"]),

        // What no promise may be broken by: kills, power losses, full disks, stores that hang.
        .executableTarget(
            name: "PowerLossLayer", path: "Tests/PowerLossLayer",
            cSettings: [.unsafeFlags(["-O2", "-Wall", "-Werror"])],
            linkerSettings: [.linkedLibrary("fuse3"), .linkedLibrary("uring")]),
        tests(
            "CrashTests",
            [
                "Engine", "Primitives", "Cryptography", "Namespace", "Blocks", "RemoteStores",
                "TestSupport",
            ],
            resources: [.copy("Resources")]),
    ],
    swiftLanguageModes: [.v6]
)

if Context.environment["CAIRN_FUZZ"] != nil,
    let tests = package.targets.firstIndex(where: { $0.name == "FuzzTests" })
{
    package.targets[tests] = fuzzer(package.targets[tests].dependencies)
}
