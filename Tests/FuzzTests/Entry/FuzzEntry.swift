// SPDX-License-Identifier: Apache-2.0
//
// Where libFuzzer calls: one program for all parsers, and `CAIRN_PARSER` names the one to run. Only
// `make fuzz` compiles this file.

import Glibc

/// The parser of this run.
private let parser: Parser = {
    // SAFETY: getenv gives nil or a text that lives as long as nobody changes the environment.
    let name = unsafe getenv("CAIRN_PARSER").map { unsafe String(cString: $0) } ?? ""
    guard let parser = Parser.all.first(where: { $0.name == name }) else {
        fatalError("CAIRN_PARSER names none of \(Parser.all.map(\.name))")
    }
    return parser
}()

/// Runs one input; a broken property ends the process, as a crash does.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    // SAFETY: libFuzzer lends `size` bytes at `data` until this returns; they are copied here.
    let bytes = unsafe Array(UnsafeBufferPointer(start: data, count: size))
    do {
        try parser.check(bytes)
    } catch {
        fatalError("\(parser.name): \(error)")
    }
    return 0
}
