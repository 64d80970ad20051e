// Command netem delays and drops a city's outgoing packets in user space, for kernels without sch_netem.
// Packets leaving by the outer interfaces pass a netfilter queue; each is dropped with the given probability
// or released, in order, after the delay. The rule is removed when the program is told to stop; while the
// program is gone without having removed it, packets pass untouched (--queue-bypass).
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	nfqueue "github.com/florianl/go-nfqueue/v2"
)

const queueNumber = 7

type impairment struct {
	delay, jitter time.Duration
	lossPercent   float64
}

func main() {
	var wanted impairment
	flag.DurationVar(&wanted.delay, "delay", 0, "how long a packet is held")
	flag.DurationVar(&wanted.jitter, "jitter", 0, "the delay varies evenly by up to this much in both directions")
	flag.Float64Var(&wanted.lossPercent, "loss", 0, "share of packets to drop, in percent")
	destination := flag.String("destination", "", "only packets to this address; empty: all")
	interfaces := flag.String("interfaces", "eth+", "outgoing interfaces, an iptables pattern")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, wanted, *interfaces, *destination); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, wanted impairment, interfaces, destination string) error {
	queue, err := nfqueue.Open(&nfqueue.Config{
		NfQueue: queueNumber, MaxPacketLen: 64, MaxQueueLen: 65535,
		Copymode: nfqueue.NfQnlCopyPacket, WriteTimeout: time.Second,
	})
	if err != nil {
		return fmt.Errorf("open netfilter queue %d: %w", queueNumber, err)
	}
	defer queue.Close()

	var lastRelease time.Time
	onPacket := func(packet nfqueue.Attribute) int {
		id := *packet.PacketID
		if rand.Float64()*100 < wanted.lossPercent {
			if err := queue.SetVerdict(id, nfqueue.NfDrop); err != nil {
				log.Print(err)
			}
			return 0
		}
		release := time.Now().Add(wanted.delay)
		if wanted.jitter > 0 {
			release = release.Add(time.Duration((2*rand.Float64() - 1) * float64(wanted.jitter)))
		}
		if release.Before(lastRelease) {
			release = lastRelease // a link with jitter does not reorder
		}
		lastRelease = release
		time.AfterFunc(time.Until(release), func() {
			if err := queue.SetVerdict(id, nfqueue.NfAccept); err != nil {
				log.Print(err)
			}
		})
		return 0
	}
	onError := func(err error) int { log.Print(err); return 0 }
	if err := queue.RegisterWithErrorFunc(ctx, onPacket, onError); err != nil {
		return fmt.Errorf("listen on netfilter queue %d: %w", queueNumber, err)
	}

	rule := []string{"POSTROUTING", "-o", interfaces}
	if destination != "" {
		rule = append(rule, "-d", destination)
	}
	rule = append(rule, "-j", "NFQUEUE", "--queue-num", fmt.Sprint(queueNumber), "--queue-bypass")
	if err := iptables("-I", rule); err != nil {
		return err
	}
	<-ctx.Done()
	return iptables("-D", rule)
}

func iptables(operation string, rule []string) error {
	arguments := append([]string{"-w", "-t", "mangle", operation}, rule...)
	if output, err := exec.Command("iptables", arguments...).CombinedOutput(); err != nil {
		return fmt.Errorf("iptables %v: %w: %s", arguments, err, output)
	}
	return nil
}
