// SPDX-License-Identifier: Apache-2.0
//
// What a copy needs of the place it reads from, and of the place it writes to.
//
// A protocol because there are two: this machine's files (`LocalTree`), and a volume without a
// mount (`VolumeTree`). Copying works in either direction, and between two of one kind.

package import Engine
package import Namespace

/// Why one file could not be copied.
package enum TreeError: Error, Equatable, Sendable {
    /// The operating system refused.
    case system(SystemError)
    /// The volume refused.
    case volume(FileError)
    /// Something else stands in the way; a few words.
    case obstacle(String)

    /// A few words for a person, to stand after a path and a colon.
    package var words: String {
        switch self {
        case .system(let error): error.reason
        case .volume(let error): error.words
        case .obstacle(let words): words
        }
    }
}

/// What a copy keeps of a file besides its bytes.
package struct TreeEntry: Equatable, Sendable {
    /// Kind of file.
    package var kind: FileKind
    /// Permission bits, 07777.
    package var mode: UInt32
    /// Owner.
    package var user: UInt32
    /// Group.
    package var group: UInt32
    /// Bytes.
    package var size: UInt64
    /// Device number of a device node.
    package var device: UInt64
    /// Last read.
    package var accessed: Timestamp
    /// Last written.
    package var modified: Timestamp
    /// What files that are one file by several names have in common; nil for a file of one name.
    package var identity: TreeIdentity?
    /// Which file of this machine it is; nil in a volume without a mount, where it is none.
    package var place: TreeIdentity?
}

/// A file's identity in its tree.
package struct TreeIdentity: Hashable, Sendable {
    package var filesystem: UInt64
    package var inode: UInt64
}

/// A tree of files. Calls may wait for disks and stores.
package protocol FileTree {
    /// An open folder.
    associatedtype Folder
    /// An open file.
    associatedtype File
    /// How a file that was made can be found again, to give it a second name.
    associatedtype Link

    /// The names in a folder, without `.` and `..`.
    func names(in folder: Folder) throws(TreeError) -> [[UInt8]]
    /// What stands at a name; nil for nothing. Symlinks are not followed.
    func entry(_ name: [UInt8], in folder: Folder) throws(TreeError) -> TreeEntry?
    /// Opens a folder.
    func folder(_ name: [UInt8], in folder: Folder) throws(TreeError) -> Folder
    /// Which folders of this machine it is, and lies in, the innermost first; none in a volume
    /// without a mount.
    func places(of folder: Folder) throws(TreeError) -> [TreeIdentity]
    /// Makes a folder, closed to others until `apply`, and opens it.
    func makeFolder(_ name: [UInt8], in folder: Folder) throws(TreeError) -> Folder
    /// The target of a symlink.
    func target(of name: [UInt8], in folder: Folder) throws(TreeError) -> [UInt8]
    /// Makes a symlink.
    func makeSymlink(
        _ name: [UInt8], to target: [UInt8], in folder: Folder) throws(TreeError)
    /// Makes a device node, a pipe or a socket.
    func makeSpecial(_ name: [UInt8], like entry: TreeEntry, in folder: Folder) throws(TreeError)
    /// Removes what is no folder.
    func remove(_ name: [UInt8], in folder: Folder) throws(TreeError)

    /// Opens a file to read it.
    func openFile(_ name: [UInt8], in folder: Folder) throws(TreeError) -> File
    /// Opens a file to write it: a new one, or the one that is there, emptied.
    func createFile(_ name: [UInt8], in folder: Folder) throws(TreeError) -> File
    /// Reads up to `out.count` bytes; 0 at the end.
    func read(
        _ file: File, at offset: UInt64, into out: inout MutableSpan<UInt8>
    ) throws(TreeError) -> Int
    /// Writes all the bytes.
    func write(_ file: File, at offset: UInt64, _ bytes: Span<UInt8>) throws(TreeError)
    /// The first stretch of data at or after `offset`, in a file of so many bytes; nil when only a
    /// hole follows.
    func data(in file: File, from offset: UInt64, size: UInt64) throws(TreeError) -> Range<UInt64>?
    /// Cuts a file, or lengthens it with a hole.
    func setSize(_ file: File, _ size: UInt64) throws(TreeError)
    /// Closes a file. Its bytes are safe from a crash of this process, not more.
    func close(_ file: File) throws(TreeError)

    /// How to find this file again.
    func link(to name: [UInt8], in folder: Folder) throws(TreeError) -> Link
    /// Gives a file another name.
    func add(_ name: [UInt8], as link: Link, in folder: Folder) throws(TreeError)
    /// Extended attributes that are a file's own. Those Cairn answers itself are not.
    func attributes(of name: [UInt8], in folder: Folder) throws(TreeError) -> [ExtendedAttribute]
    /// Sets one.
    func setAttribute(
        _ attribute: ExtendedAttribute, of name: [UInt8], in folder: Folder) throws(TreeError)
    /// Sets the owner, where this user may. That takes a program's capabilities and its set-user-id
    /// bit from it, so the rest comes after.
    func setOwner(
        _ entry: TreeEntry, of name: [UInt8], in folder: Folder) throws(TreeError)
    /// Sets permissions and times.
    func apply(_ entry: TreeEntry, to name: [UInt8], in folder: Folder) throws(TreeError)
}
