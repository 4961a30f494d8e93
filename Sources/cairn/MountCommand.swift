// SPDX-License-Identifier: Apache-2.0
//
// `cairn mount`, `cairn unmount`, and the daemon that `mount` starts.

import ArgumentParser
import Control

struct MountCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mount",
        abstract: "Mount a volume on an empty directory.",
        discussion: """
            Returns when the mount answers; a daemon serves it in the background. A dead mount \
            at the same place is cleaned away first.

            MOUNT OPTIONS (-o, separated by commas)
              ro                     nothing can be changed
              allow_other            other users may enter; permissions still hold
              default_permissions    the kernel checks permissions where only root may enter, too
              no_io_uring            requests come by the device, also where io_uring is offered
              subdir=PATH            show only this folder of the volume, such as files
              cache=SIZE             most bytes of the local cache, for this mount
              quota=SIZE             most bytes that files and pads may have together; more is
                                     refused at once, so writes go to the daemon one by one
              durability=remote      fsync waits until the store has it
              passphrase-file=PATH   opens a sealed key
              finish-time=TIME       how long a daemon that is told to end goes on
              limit-upload=SIZE      most bytes a second to the store, such as 5M
              limit-download=SIZE    most bytes a second from it
              state=PATH             as --state, for lines in fstab
              aleph, noaleph         whether aleph/ is shown; else where an account was chosen
                                     (cairn aleph account), or a node is named
              aleph-node=URL         a node of Aleph Cloud; may be given several times
              aleph-pay=hold         how files in aleph/me/ are paid for: by holding tokens,
                                     with credit, or none: unpaid in IPFS, until 2027
              noexec, suid, dev      as mount(8) has them
              noatime, strictatime   reading never, or always, moves access times; else
                                     once after a change, and once a day (relatime)
            A comma within a value is written \\,.

            EXAMPLES
              cairn mount home ~/cairn
              cairn mount home ~/letters -o ro,subdir=files/letters
              cairn mount work /mnt/work -o allow_other,cache=50G
              cairn mount home ~/cairn -f
            """)

    @Argument(help: "The volume's name.", completion: .shellCommand("cairn list"))
    var volume: String

    @Argument(help: "An empty directory.", completion: .directory)
    var directory: String

    @Option(
        name: [.customShort("o"), .long],
        help: ArgumentHelp("Mount options; may be given several times.", valueName: "list"))
    var options: [String] = []

    @Flag(name: .shortAndLong, help: "Stay in the foreground, and log to standard error.")
    var foreground = false

    @Option(
        help: ArgumentHelp(
            "Most bytes a second to the store, such as 5M; as -o limit-upload.", valueName: "size"))
    var limitUpload: String?

    @Option(
        help: ArgumentHelp(
            "Most bytes a second from the store; as -o limit-download.", valueName: "size"))
    var limitDownload: String?

    @OptionGroup var passphrase: PassphraseOptions
    @OptionGroup var state: StateOptions

    func run() throws {
        var settings = MountSettings()
        for list in options { try settings.add(list) }
        if let limitUpload { try settings.add("limit-upload=\(limitUpload)") }
        if let limitDownload { try settings.add("limit-download=\(limitDownload)") }
        if let file = passphrase.passphraseFile { settings.passphraseFile = file }
        var mounting = Mounting(
            state: try StateFolder(state.state ?? settings.state), name: try VolumeName(volume),
            directory: directory, settings: settings)
        mounting.isInForeground = foreground
        try mounting.run()
        if !foreground, let text = try mounting.note() { Output.note(text) }
    }
}

struct UnmountCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unmount",
        abstract: "Bring everything to the store, then unmount.",
        discussion: """
            Waits until the store has everything, with progress at a terminal; Ctrl-C leaves the \
            volume mounted. While programs use the mount it is refused, and they are named.

            EXAMPLES
              cairn unmount ~/cairn
              cairn unmount home --timeout 5m
              cairn unmount home --now
            """,
        aliases: ["umount"])

    @Argument(
        help: "The mount point, or the volume's name; else “home”, or the only volume.",
        completion: .directory)
    var target: String?

    @Flag(help: "Unmount at once; what is not on the store yet stays on this machine.")
    var now = false

    @OptionGroup var quiet: QuietOptions
    @OptionGroup var timeout: TimeoutOptions
    @OptionGroup var state: StateOptions

    func run() throws {
        let folder = try state.folder()
        if let target, target.contains("/"), try cleanDead(target) { return }
        let found = try VolumeTarget(target, in: folder)
        if found.status == nil {
            let cleaned = try MountPoint.cleanDead(of: found.folder.name)
            for path in cleaned { noteCleaned(path) }
            if !cleaned.isEmpty { return }
        }
        var unmounting = Unmounting(found)
        unmounting.timeout = try timeout.duration()
        let display = ProgressDisplay("unmount", isQuiet: quiet.quiet)
        defer { display.end() }
        unmounting.progress = { display.show($0) }
        let last = try unmounting.unmount(isForced: now)
        display.end()
        if let text = StatusText.leftover(of: last), !quiet.quiet {
            Output.note("cairn: \(text).\n")
        }
    }

    private func cleanDead(_ path: String) throws -> Bool {
        let path = try VolumeTarget.absolute(path)
        guard try MountPoint.cleanDead(path) else { return false }
        noteCleaned(path)
        return true
    }

    private func noteCleaned(_ path: String) {
        Output.note("cairn: the mount at “\(path)” was dead, and is cleaned away.\n")
    }
}

/// What a background mount starts itself as.
struct DaemonCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: DaemonLaunch.subcommand,
        abstract: "Serve a mount that “cairn mount” has begun.")

    @Argument var volume: String
    @Argument var directory: String
    @Option var options = ""
    @OptionGroup var state: StateOptions

    func run() throws {
        var settings = MountSettings()
        try settings.add(options)
        let folder = try state.folder().volume(try VolumeName(volume))
        try DaemonProcess.serve(folder, settings, at: directory)
    }
}
