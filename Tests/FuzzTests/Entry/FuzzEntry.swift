// SPDX-License-Identifier: Apache-2.0
//
// The program that `make fuzz` makes: libFuzzer's loop around one parser, which `CAIRN_PARSER`
// names. Nothing else compiles this file.

import Glibc

/// libFuzzer's loop: reads the arguments, calls back with each input, and gives the exit code.
///
/// - Source: LLVM, "Using libFuzzer as a library".
@_silgen_name("LLVMFuzzerRunDriver")
private func runLoop(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

@main
enum Fuzz {
    private static let parser: Parser? = {
        // SAFETY: gives nil, or a text that lives as long as nobody changes the environment.
        let name = unsafe getenv("CAIRN_PARSER").map { unsafe String(cString: $0) }
        return Parser.all.first { $0.name == name }
    }()

    static func main() {
        if parser == nil {
            print(Parser.all.map(\.name).joined(separator: "\n"))
            exit(CommandLine.arguments.contains("-list") ? 0 : 64)
        }
        var count = CommandLine.argc
        // SAFETY: the arguments are the process's own, and live until it ends.
        var arguments = unsafe CommandLine.unsafeArgv
        // SAFETY: as above.
        exit(unsafe runLoop(&count, &arguments) { unsafe Fuzz.run($0, $1) })
    }

    /// Runs one input; a broken property ends the process, as a crash does.
    private static func run(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
        // SAFETY: libFuzzer lends `size` bytes at `data` until this returns; they are copied here.
        let bytes = unsafe Array(UnsafeBufferPointer(start: data, count: size))
        do {
            try parser?.check(bytes)
        } catch {
            let words = Array("\(parser?.name ?? ""): \(error)\n".utf8)
            // SAFETY: the array lives for the call.
            _ = unsafe words.withUnsafeBytes { unsafe write(2, $0.baseAddress, $0.count) }
            abort()
        }
        return 0
    }
}
