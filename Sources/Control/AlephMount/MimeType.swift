// SPDX-License-Identifier: Apache-2.0
//
// What a file's name says of its type. Pure.

/// Types of files, by the ends of their names.
enum MimeType {
    /// What any file is.
    static let unknown = "application/octet-stream"

    /// - Source: the IANA registry of media types; the ends that most people meet.
    private static let types: [String: String] = [
        "txt": "text/plain", "log": "text/plain", "md": "text/markdown", "csv": "text/csv",
        "html": "text/html", "htm": "text/html", "css": "text/css", "js": "text/javascript",
        "json": "application/json", "xml": "application/xml", "pdf": "application/pdf",
        "zip": "application/zip", "gz": "application/gzip", "tar": "application/x-tar",
        "zst": "application/zstd", "7z": "application/x-7z-compressed", "wasm": "application/wasm",
        "epub": "application/epub+zip", "rtf": "application/rtf", "jpg": "image/jpeg",
        "jpeg": "image/jpeg", "png": "image/png", "gif": "image/gif", "svg": "image/svg+xml",
        "webp": "image/webp", "avif": "image/avif", "tif": "image/tiff", "tiff": "image/tiff",
        "bmp": "image/bmp", "ico": "image/vnd.microsoft.icon", "mp3": "audio/mpeg",
        "ogg": "audio/ogg", "opus": "audio/opus", "flac": "audio/flac", "wav": "audio/wav",
        "m4a": "audio/mp4", "mp4": "video/mp4", "webm": "video/webm", "mkv": "video/matroska",
        "mov": "video/quicktime", "avi": "video/vnd.avi", "woff2": "font/woff2", "ttf": "font/ttf",
        "otf": "font/otf",
        "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "odt": "application/vnd.oasis.opendocument.text",
        "ods": "application/vnd.oasis.opendocument.spreadsheet",
    ]

    /// The type of a file; `unknown` if its name does not tell.
    static func of(_ name: String) -> String {
        guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return unknown }
        return types[name[name.index(after: dot)...].lowercased()] ?? unknown
    }
}
