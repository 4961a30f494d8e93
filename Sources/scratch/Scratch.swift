import Cryptography
import Engine
import FuseHost
import Glibc
import Namespace
import RemoteStores

@main struct Scratch {
    static func main() throws {
        let a = CommandLine.arguments
        try run(state: a[1], store: a[2], mount: a[3])
    }
    nonisolated static func run(state: String, store: String, mount: String) throws {
        mkdir(state, 0o700)
        let isNew = access(state + "/meta.db", F_OK) != 0
        let folder = try FolderStore(path: store, createIfMissing: true)
        let seed = SecretBytes([UInt8](repeating: 7, count: 32))
        var c = EngineConfiguration(stateFolder: state, chunks: folder, pads: folder, keys: VolumeKeys(seed: seed))
        c.cacheBudget = 10 << 30
        var mode = StartMode.existing
        if isNew { mode = (try folder.get(c.keys.rootPad.address)) == nil ? .create : .recover }
        let engine = try Engine.start(c, mode: mode)
        var options = MountOptions(mountPoint: mount)
        options.allowOther = true; options.suid = true; options.dev = true
        if let n = getenv("THREADS") { options.threads = Int(String(cString: n)) }; if getenv("CLONE") != nil { options.clonesDevice = true }
        let session = try FuseSession(engine: engine, options: options)
        try session.mount()
        try session.run()
        session.unmount()
        let t0 = ContinuousClock.now
        let s = engine.stop(finishing: .seconds(600)); print(s.json, ContinuousClock.now - t0)
    }
}
