// SPDX-License-Identifier: Apache-2.0
//
// The way down: directories, the hard-link table, and what each entry names.

import Namespace
import Primitives
import Scratchpads
import Stores

extension StoreCheck {
    /// A directory on the way down.
    private struct Frame {
        let path: [UInt8]
        let ino: UInt64
        var walker: PageWalker
        /// Directories of the present leaf that are still to be walked.
        var children: [Entry] = []
    }

    /// Walks one of the two top directories.
    func walk(_ top: Entry, named name: String) throws(CheckError) {
        guard let frame = frame(of: top, at: Array(name.utf8)) else { return }
        var stack = [frame]
        while !stack.isEmpty {
            let last = stack.count - 1
            if let child = stack[last].children.popLast() {
                let path = Self.join(stack[last].path, child.name)
                guard stack.count < CheckLimits.depth else {
                    report.found(Finding(.path(path), .unreachable, .lost))
                    continue
                }
                if let frame = self.frame(of: child, at: path) { stack.append(frame) }
                continue
            }
            var frame = stack[last]
            let entries = try nextLeaf(&frame.walker, at: .path(frame.path), frame.ino)
            guard let entries else {
                stack.removeLast()
                continue
            }
            for entry in entries {
                if case .directory = entry.body { frame.children.append(entry) }
            }
            stack[last] = frame
            try check(entries, in: frame.path, frame.ino)
        }
    }

    private func frame(of entry: Entry, at path: [UInt8]) -> Frame? {
        guard case .directory(let pages, let entryCount, _) = entry.body else { return nil }
        meter.step()
        return Frame(
            path: path, ino: entry.ino, walker: PageWalker(root: pages, entryCount: entryCount))
    }

    /// The entries of the next leaf that can be had; nil after the last.
    private func nextLeaf(
        _ walker: inout PageWalker, at place: Finding.Place, _ directory: UInt64
    ) throws(CheckError) -> [Entry]? {
        while true {
            do throws(PageWalkError<StoreError>) {
                return try walker.nextLeaf(fetch)?.entries
            } catch {
                let loss = try loss(error)
                let skipped = walker.skip()
                // Links to what is on that page are not lost for want of an entry.
                if directory == PathNamer.hardLinkTable { linked = nil }
                report.found(
                    Finding(
                        place, .page(loss, entryCount: skipped?.entryCount),
                        rebuilding(directory)))
            }
        }
    }

    /// Plans to make a directory's pages anew, and says whether that can be done.
    private func rebuilding(_ directory: UInt64) -> Remedy {
        guard planned == .repairable else { return planned }
        guard local?.canRebuild(directory) == true else { return .lost }
        if options.repairs, !plan.isFull { plan.directories.insert(directory) }
        return .repairable
    }

    /// Plans to make the hard-link table's pages anew, if that gives an inode its entry.
    private func relinking(_ ino: UInt64) -> Remedy {
        guard planned == .repairable else { return planned }
        return local?.hasLinked(ino) == true ? rebuilding(PathNamer.hardLinkTable) : .lost
    }

    /// Walks the table of inodes with several names, before the names that then say what is wrong.
    func walkTable(_ root: PageReference?) throws(CheckError) {
        var walker = PageWalker(root: root, keys: .inodes)
        let place = Finding.Place.path(Array("(the hard-link table)".utf8))
        while let entries = try nextLeaf(&walker, at: place, PathNamer.hardLinkTable) {
            for entry in entries {
                meter.step()
                linked?.insert(entry.ino)
                try check(entry, .links(entry.ino), in: PathNamer.hardLinkTable)
            }
            if let known = linked, known.count > CheckLimits.linkedFiles { linked = nil }
        }
        try flush()
    }

    private func check(
        _ entries: [Entry], in path: [UInt8], _ directory: UInt64
    ) throws(CheckError) {
        var pads: [(place: Finding.Place, entry: Entry, reference: PadReference)] = []
        for entry in entries {
            let own = Self.join(path, entry.name)
            switch entry.body {
            case .directory: continue
            case .pad(let reference): pads.append((.path(own), entry, reference))
            case .link: sayOfLink(entry.ino, at: own)
            case .regular, .symlink, .special:
                try check(entry, .path(own), in: directory)
            }
            meter.step()
        }
        try check(pads)
    }

    private func sayOfLink(_ ino: UInt64, at path: [UInt8]) {
        if let linked, !linked.contains(ino) {
            return report.found(Finding(.path(path), .lostLink, relinking(ino)))
        }
        guard let findings = linkFindings[ino] else { return }
        for (index, finding) in findings.enumerated() {
            report.found(Finding(.path(path), finding.problem, finding.remedy))
            linkFindings[ino]?[index].place = .path(path)
        }
    }

    /// The content of a regular file.
    private func check(
        _ entry: Entry, _ owner: FileTally.Owner, in directory: UInt64
    ) throws(CheckError) {
        guard case .regular(_, let content) = entry.body else { return }
        let tally = FileTally(owner, ino: entry.ino)
        switch content {
        case .inline: return
        case .segments(let segments):
            try check(segments, of: tally)
        case .indirect(let reference, _):
            guard let segments = try segments(reference, tally, in: directory) else { return }
            try check(segments, of: tally)
        }
    }

    private func segments(
        _ reference: PageReference, _ tally: FileTally, in directory: UInt64
    ) throws(CheckError) -> [Segment]? {
        let lost: Loss
        do throws(StoreError) {
            let chunk = try fetch(reference.address)
            // What does not open, or opens to something else, is damaged: no other reason counts.
            if case .segments(let list)? = try? PageCodec.open(chunk, reference: reference) {
                return list
            }
            lost = .damaged
        } catch {
            lost = try loss(error)
        }
        say(tally, .page(lost, entryCount: nil), rebuilding(directory))
        return nil
    }

    /// Says what is wrong with a file; of one with several names, later, with each of them.
    func say(_ tally: FileTally, _ problem: Problem, _ remedy: Remedy) {
        switch tally.owner {
        case .path(let path): report.found(Finding(.path(path), problem, remedy))
        case .links(let ino):
            let finding = Finding(.inode(ino), problem, remedy)
            guard linkFindings.count < CheckLimits.repairs else { return report.found(finding) }
            linkFindings[ino, default: []].append(finding)
        }
    }

    static func join(_ path: [UInt8], _ name: [UInt8]) -> [UInt8] {
        path + [UInt8(ascii: "/")] + name
    }
}
