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

func library(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = [])
    -> Target
{
    .testTarget(
        name: name, dependencies: dependencies, resources: resources, swiftSettings: strict)
}

/// What several test targets use; nothing that is shipped depends on it.
func testSupport(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(
        name: name, dependencies: dependencies, path: "Tests/\(name)", swiftSettings: strict)
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
        .systemLibrary(name: "CSecp256k1"),
        .systemLibrary(name: "CCurl"),
        .systemLibrary(name: "CSQLite"),
        .target(name: "CBlake3", cSettings: [.unsafeFlags(["-O3", "-Wall", "-Werror"])]),
        .target(name: "CLinux", cSettings: [.unsafeFlags(["-Wall", "-Werror"])]),
        .target(
            name: "CFuse", cSettings: [.unsafeFlags(["-O2", "-Wall", "-Werror"])],
            linkerSettings: [.linkedLibrary("fuse3")]),

        // L0: pure.
        library("Primitives", []),
        library("JSON", []),
        library(
            "Cryptography", ["Primitives", "CBlake3", "COpenSSL", "CSodium", "CSecp256k1"]),
        library("Compression", ["CBrotli"]),

        // L1: pure.
        library("SelfEncryption", ["Primitives", "Cryptography", "Compression"]),
        library("Scratchpads", ["Primitives", "Cryptography"]),
        library(
            "Namespace",
            ["Primitives", "Cryptography", "Compression", "SelfEncryption", "Scratchpads"]),

        library("AlephProtocol", ["Primitives", "Cryptography", "JSON"]),

        // L2: the shell: disks, databases, networks.
        library("HTTP", ["Primitives", "CCurl"]),
        library("Stores", ["Primitives", "Scratchpads"]),
        library(
            "RemoteStores", ["Primitives", "Cryptography", "Scratchpads", "Stores", "CLinux"]),
        library("Aleph", ["Primitives", "Cryptography", "JSON", "AlephProtocol", "HTTP"]),
        library(
            "Metadata",
            ["Primitives", "SelfEncryption", "Scratchpads", "Namespace", "CSQLite", "CLinux"]),
        library("Blocks", ["Cryptography", "CLinux"]),

        // L3: the engine. It knows neither its stores nor the kernel.
        library(
            "Engine",
            [
                "Primitives", "Cryptography", "Compression", "SelfEncryption", "Scratchpads",
                "Namespace", "Stores", "Metadata", "Blocks",
            ]),

        // L4: the kernel.
        library("FuseHost", ["Engine", "Namespace", "CFuse"]),

        // L5: the command, and all of it that is worth a test.
        library(
            "Control",
            [
                "Primitives", "Cryptography", "Compression", "Namespace", "Stores", "RemoteStores",
                "Blocks", "Engine", "FuseHost", "CLinux",
            ]),
        .executableTarget(
            name: "cairn",
            dependencies: [
                "Control",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),

        testSupport("LocalServer", []),

        tests("PrimitivesTests", ["Primitives"]),
        tests("JSONTests", ["JSON"]),
        tests("HTTPTests", ["HTTP", "LocalServer"]),
        tests(
            "CryptographyTests", ["Cryptography", "Primitives"], resources: [.copy("Vectors")]),
        tests(
            "CompressionTests", ["Compression", "Cryptography", "Primitives"],
            resources: [.copy("Vectors")]),
        tests(
            "SelfEncryptionTests",
            ["SelfEncryption", "Primitives", "Cryptography", "Compression"],
            resources: [.copy("Vectors")]),
        tests("ScratchpadsTests", ["Scratchpads", "Primitives", "Cryptography"]),
        tests(
            "NamespaceTests",
            [
                "Namespace", "Primitives", "Cryptography", "Compression", "SelfEncryption",
                "Scratchpads",
            ]),
        tests(
            "StoresTests",
            ["Stores", "RemoteStores", "Aleph", "Scratchpads", "Primitives", "Cryptography"]),
        tests(
            "AlephTests",
            [
                "Aleph", "AlephProtocol", "HTTP", "JSON", "Cryptography", "Primitives", "LocalServer",
            ],
            resources: [.copy("Vectors")]),
        tests(
            "MetadataTests",
            ["Metadata", "Primitives", "SelfEncryption", "Scratchpads", "Namespace"]),
        tests("BlocksTests", ["Blocks", "Cryptography"]),
        tests(
            "EngineTests",
            [
                "Engine", "Primitives", "Cryptography", "SelfEncryption", "Scratchpads",
                "Namespace",
                "Stores", "RemoteStores",
            ]),
        tests(
            "ControlTests",
            [
                "Control", "Primitives", "Cryptography", "Compression", "Namespace", "Stores",
                "RemoteStores", "Engine", "FuseHost",
            ]),
        tests("FuseHostTests", ["FuseHost", "Engine", "Namespace", "CFuse"]),
        tests("TidyTests", []),
        tests("MountTests", []),
    ],
    swiftLanguageModes: [.v6]
)
