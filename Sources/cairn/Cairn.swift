import Control
@main struct C { static func main() {} }
