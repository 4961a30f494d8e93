// SPDX-License-Identifier: Apache-2.0
//
// A configuration on the disk.

import Glibc

extension VolumeConfiguration {
    /// Reads the configuration of a volume.
    ///
    /// - Throws: `noSuchVolume`; `invalidConfiguration` with the line that is not understood.
    package static func read(
        from folder: VolumeFolder
    ) throws(CommandFailure) -> VolumeConfiguration {
        try folder.requireComplete()
        let bytes: [UInt8]
        do {
            bytes = try Descriptor.open(folder.configuration, O_RDONLY).readAll(limit: maximumSize)
        } catch {
            throw CommandFailure(
                .invalidConfiguration, "“\(folder.configuration)” cannot be read", error)
        }
        do {
            return try VolumeConfiguration(text: bytes)
        } catch {
            let place = error.line == 0 ? "" : "line \(error.line): "
            throw CommandFailure(
                .invalidConfiguration,
                "“\(folder.configuration)” cannot be understood: \(place)\(error.problem)",
                advice: "mend that line; docs/format.md lists the settings")
        }
    }

    /// Writes it; this is what makes a volume's folder complete.
    package func write(to folder: VolumeFolder) throws(CommandFailure) {
        do {
            try Files.replace(folder.configuration, with: Array(text.utf8), mode: 0o600)
        } catch {
            throw CommandFailure(.failure, "“\(folder.configuration)” cannot be written", error)
        }
    }
}
