package deploy

import (
	"reflect"
	"testing"

	"github.com/telltale-probe/telltale/config"
)

// What a package or a container begins with changes no default, and agrees to nothing.
func TestConfigIsTheDefault(t *testing.T) {
	shipped, err := config.Load("telltale.toml")
	if err != nil {
		t.Fatal(err)
	}
	if !shipped.Consent.IsZero() || !reflect.DeepEqual(shipped, config.Default()) {
		t.Errorf("it agrees or sets something in the volunteer's place:\n%+v\n%+v", shipped, config.Default())
	}
}
