import NIOCore
import NIOPosix

extension SIPStackConfiguration {
    /// Lets the system ask after ``probeAfter`` whether the other end is there: thrice, a quarter of the silence apart, so that who
    /// does not answer is closed after less than twice that time.
    func probe(_ channel: any Channel) throws {
        guard let silence = self.probeAfter, let options = channel.syncOptions else { return }
        let seconds = Int(max(silence.nanoseconds / 1_000_000_000, 1))
        func set(_ name: CInt, _ value: Int) throws {
            let option = ChannelOptions.Types.SocketOption(level: .tcp, name: .init(rawValue: name))
            try options.setOption(option, value: value)
        }
        try options.setOption(.socketOption(.so_keepalive), value: 1)
        try set(TCP_KEEPIDLE, seconds)
        try set(TCP_KEEPINTVL, max(seconds / 4, 1))
        try set(TCP_KEEPCNT, 3)
    }
}
