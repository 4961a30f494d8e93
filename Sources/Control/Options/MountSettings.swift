// SPDX-License-Identifier: Apache-2.0
//
// The options of one mount, from `-o` as mount(8) and fstab write it. Pure.

package import Engine
import RemoteStores

/// What `-o` says about one mount.
package struct MountSettings: Equatable, Sendable {
    /// Other users may enter (`allow_other`).
    package var allowsOthers = false
    /// The kernel checks permissions also where root alone may enter (`default_permissions`).
    package var alwaysChecksPermissions = false
    /// Requests come by the device also where the kernel offers io_uring (`no_io_uring`).
    package var avoidsRing = false
    /// No change is accepted (`ro`).
    package var isReadOnly = false
    /// Programs on the mount may not be started (`noexec`).
    package var forbidsPrograms = false
    /// Set-user-id bits are honoured (`suid`); the kernel lets only root ask for it.
    package var honoursSetUser = false
    /// Device nodes work (`dev`); the kernel lets only root ask for it.
    package var honoursDevices = false
    /// When reading moves access times (`relatime`, `noatime`, `strictatime`).
    package var accessTimes = AccessTimePolicy.relative
    /// The folder of the volume that is shown as the root (`subdir=`), such as `files`; nil for
    /// all.
    package var subdirectory: String?
    /// Most bytes of the local cache (`cache=`); nil takes the volume's own.
    package var cache: UInt64?
    /// Most bytes that files and pads may have together (`quota=`); nil takes the volume's own.
    package var quota: UInt64?
    /// `fsync` waits for the store (`durability=remote`).
    package var fsyncIsRemote = false
    /// The file that opens a sealed key (`passphrase-file=`).
    package var passphraseFile: String?
    /// The state folder (`state=`), for lines in fstab.
    package var state: String?
    /// How long a daemon that is told to end goes on (`finish-time=`); nil takes the volume's own.
    package var finishTime: Duration?

    /// The most bytes a second to the store (`limit-upload=`); nil for no limit.
    package var uploadLimit: UInt64?
    /// The most bytes a second from the store (`limit-download=`); nil for no limit.
    package var downloadLimit: UInt64?

    /// Nodes of Aleph Cloud (`aleph-node=`, which may come several times); none takes those of the
    /// environment, else public ones.
    package var alephNodes: [String] = []
    /// How files in `aleph/me/` are paid for (`aleph-pay=`).
    package var alephPay = AlephPay.hold
    /// Whether `aleph/` is shown (`aleph`, `noaleph`); nil shows it where an account was chosen, or
    /// nodes are named.
    package var showsAleph: Bool?

    /// Nothing but defaults.
    package init() {}

    /// Most bytes of all options together.
    package static let maximumSize = 8192

    /// Options that say what holds anyway, or speak to mount(8) and systemd alone.
    private static let silent: Set<String> = [
        "defaults", "rw", "nosuid", "nodev", "exec", "async", "auto", "noauto", "user", "nouser",
        "users", "owner", "group", "nofail", "_netdev",
        "diratime", "nodiratime", "lazytime", "nolazytime", "norelatime", "iversion",
        "noiversion", "silent", "loud",
    ]

    /// Options that name what reading does to access times; `atime` is mount(8)'s word for the
    /// default.
    private static let accessTimePolicies: [String: AccessTimePolicy] = [
        "relatime": .relative, "atime": .relative, "strictatime": .strict, "noatime": .never,
    ]

    /// Options that have no value, and change something.
    private static let switches: Set<String> = [
        "ro", "allow_other", "default_permissions", "no_io_uring", "noexec", "suid", "dev", "aleph",
        "noaleph",
    ]

    /// Takes in a list such as `ro,allow_other,subdir=files`; later ones win. A comma or a
    /// backslash within a value is written after a backslash.
    ///
    /// - Throws: `usage` for an option that is not known, or a value that makes no sense.
    package mutating func add(_ list: String) throws(CommandFailure) {
        guard list.utf8.count <= Self.maximumSize else {
            throw CommandFailure(.usage, "the mount options are too long")
        }
        for option in Self.split(list) {
            let parts = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            if parts.count == 2 {
                try set(name, to: String(parts[1]))
            } else {
                try set(name)
            }
        }
    }

    private mutating func set(_ name: String) throws(CommandFailure) {
        switch name {
        case "ro": isReadOnly = true
        case "rw": isReadOnly = false
        case "allow_other": allowsOthers = true
        case "default_permissions": alwaysChecksPermissions = true
        case "no_io_uring": avoidsRing = true
        case "noexec": forbidsPrograms = true
        case "exec": forbidsPrograms = false
        case "suid": honoursSetUser = true
        case "nosuid": honoursSetUser = false
        case "dev": honoursDevices = true
        case "nodev": honoursDevices = false
        case "aleph": showsAleph = true
        case "noaleph": showsAleph = false
        case "aleph-node", "aleph-pay", "subdir", "cache", "quota", "durability",
            "passphrase-file", "state", "finish-time",
            "limit-upload", "limit-download":
            throw CommandFailure(.usage, "the mount option “\(name)” needs a value: \(name)=…")
        default:
            if let policy = Self.accessTimePolicies[name] {
                accessTimes = policy
                return
            }
            guard Self.silent.contains(name) || name.hasPrefix("x-") else {
                throw Self.unknown(name)
            }
        }
    }

    private mutating func set(_ name: String, to value: String) throws(CommandFailure) {
        switch name {
        case "subdir":
            subdirectory = try Self.subdirectory(value)
        case "cache":
            guard let size = SizeText.parse(value), VolumeConfiguration.cacheLimits.contains(size)
            else { throw Self.nonsense(name, value, "a size of at least 64M, such as 10G") }
            cache = size
        case "quota":
            guard let size = SizeText.parse(value), VolumeConfiguration.quotas.contains(size)
            else { throw Self.nonsense(name, value, "a size of at least 1M, such as 10G") }
            quota = size
        case "durability":
            guard value == "local" || value == "remote" else {
                throw Self.nonsense(name, value, "“local” or “remote”")
            }
            fsyncIsRemote = value == "remote"
        case "passphrase-file":
            guard !value.isEmpty else { throw Self.nonsense(name, value, "a path") }
            passphraseFile = value
        case "state":
            guard value.hasPrefix("/") else { throw Self.nonsense(name, value, "an absolute path") }
            state = value
        case "aleph-node":
            guard alephNodes.count < AlephSession.nodeLimit, AlephSession.isNode(value) else {
                throw Self.nonsense(name, value, "the address of a node, such as https://host:port")
            }
            alephNodes.append(value)
        case "aleph-pay":
            guard let pay = AlephPay(rawValue: value) else {
                throw Self.nonsense(name, value, "“hold”, “credit” or “none”")
            }
            alephPay = pay
        case "limit-upload": uploadLimit = try Self.bandwidth(name, value)
        case "limit-download": downloadLimit = try Self.bandwidth(name, value)
        case "finish-time":
            guard let time = DurationText.parse(value) else {
                throw Self.nonsense(name, value, "a time such as 60s")
            }
            finishTime = time
        default:
            // fstab's comment=…, x-systemd.…=…
            if name == "comment" || name.hasPrefix("x-") { return }
            guard !Self.silent.contains(name), !Self.switches.contains(name),
                Self.accessTimePolicies[name] == nil
            else {
                throw CommandFailure(.usage, "the mount option “\(name)” takes no value")
            }
            throw Self.unknown(name)
        }
    }

    private static func bandwidth(
        _ name: String, _ value: String
    ) throws(CommandFailure) -> UInt64 {
        guard let size = SizeText.parse(value), StoreSettings.bandwidths.contains(size) else {
            throw nonsense(name, value, "bytes a second, at least 1K, such as 5M")
        }
        return size
    }

    private static func subdirectory(_ value: String) throws(CommandFailure) -> String? {
        let parts = value.split(separator: "/")
        guard !parts.contains("."), !parts.contains(".."), !value.contains("\0") else {
            throw nonsense("subdir", value, "a folder of the volume, such as files/photos")
        }
        return parts.isEmpty ? nil : parts.joined(separator: "/")
    }

    private static func split(_ list: String) -> [String] {
        var options: [String] = []
        var current = ""
        var isEscaped = false
        for character in list {
            switch character {
            case _ where isEscaped:
                current.append(character)
                isEscaped = false
            case "\\":
                isEscaped = true
            case ",":
                options.append(current)
                current = ""
            default:
                current.append(character)
            }
        }
        options.append(current)
        return options.filter { !$0.isEmpty }
    }

    private static func unknown(_ name: String) -> CommandFailure {
        CommandFailure(
            .usage, "there is no mount option “\(name.prefix(64))”",
            advice: "“cairn help mount” lists the options")
    }

    private static func nonsense(
        _ name: String, _ value: String, _ wanted: String
    ) -> CommandFailure {
        CommandFailure(
            .usage, "the mount option “\(name)=\(value.prefix(64))” makes no sense",
            advice: "its value is \(wanted)")
    }

    /// The list that `add` reads back to an equal value; how a daemon is told.
    package var list: String {
        var options: [String] = []
        func add(_ name: String, _ value: String?) {
            guard let value else { return }
            let escaped = value.flatMap { $0 == "," || $0 == "\\" ? ["\\", $0] : [$0] }
            options.append("\(name)=\(String(escaped))")
        }
        if allowsOthers { options.append("allow_other") }
        if alwaysChecksPermissions { options.append("default_permissions") }
        if avoidsRing { options.append("no_io_uring") }
        if isReadOnly { options.append("ro") }
        if forbidsPrograms { options.append("noexec") }
        if honoursSetUser { options.append("suid") }
        if honoursDevices { options.append("dev") }
        switch accessTimes {
        case .relative: break
        case .strict: options.append("strictatime")
        case .never: options.append("noatime")
        }
        add("subdir", subdirectory)
        add("cache", cache.map(SizeText.exact))
        add("quota", quota.map(SizeText.exact))
        if fsyncIsRemote { options.append("durability=remote") }
        add("passphrase-file", passphraseFile)
        add("state", state)
        add("finish-time", finishTime.map(DurationText.exact))
        for node in alephNodes { add("aleph-node", node) }
        if alephPay != .hold { add("aleph-pay", alephPay.rawValue) }
        if let showsAleph { options.append(showsAleph ? "aleph" : "noaleph") }
        add("limit-upload", uploadLimit.map(SizeText.exact))
        add("limit-download", downloadLimit.map(SizeText.exact))
        return options.joined(separator: ",")
    }
}
