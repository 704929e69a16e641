import NIOCore
import NIOPosix

extension MSRPEndpoint {
    private var writeBufferWaterMark: ChannelOptions.Types.WriteBufferWaterMark {
        .init(low: self.limits.writeLowWaterBytes, high: self.limits.writeHighWaterBytes)
    }

    func applyOptions(to bootstrap: ClientBootstrap) -> ClientBootstrap {
        bootstrap
            .channelOption(.writeBufferWaterMark, value: self.writeBufferWaterMark)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: self.limits.readBytes))
    }

    func applyChildOptions(to bootstrap: ServerBootstrap) -> ServerBootstrap {
        bootstrap
            .childChannelOption(.writeBufferWaterMark, value: self.writeBufferWaterMark)
            .childChannelOption(
                .recvAllocator,
                value: FixedSizeRecvByteBufferAllocator(capacity: self.limits.readBytes)
            )
    }
}
