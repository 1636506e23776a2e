# The controller, and fedctl beside it, as static binaries in an image with nothing
# else: no shell, no package manager, no root.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS TARGETARCH VERSION=
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath \
      -ldflags "-s -w -X github.com/fedctl/fedctl/internal/version.version=$VERSION" \
      -o /out/ ./cmd/controller ./cmd/fedctl

FROM scratch
# For servers with public certificates, such as object stores.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/ /
USER 65532:65532
ENTRYPOINT ["/controller"]
