from .codecs.codec import (
    TensorCoder as TensorCoder,
    form_of as form_of,
    read_codec as read_codec,
)
from .codecs.form import Layout as Layout, usual_layout as usual_layout
from .codecs.retraining import (
    Retrained as Retrained,
    retrain_transfer_exits as retrain_transfer_exits,
    retrain_transfer_model as retrain_transfer_model,
)
from .codecs.transfer_model import (
    insert_among_exits as insert_among_exits,
    insert_transfer_layer as insert_transfer_layer,
    split_transfer_model as split_transfer_model,
)
from .data.datasets import Shares as Shares, load_dataset as load_dataset
from .exits.configurations import fine_tune as fine_tune
from .exits.exit_files import has_exits as has_exits, load_exits as load_exits, save_exits as save_exits
from .exits.exits import attach_exits as attach_exits, configuration as configuration, read_branches as read_branches
from .exits.onnx_exits import exit_ends as exit_ends, probabilities as probabilities
from .exits.statistics import (
    exits_record as exits_record,
    normalised_entropy as normalised_entropy,
    record_samples as record_samples,
)
from .exits.trainer import (
    Trained as Trained,
    Training as Training,
    data_of as data_of,
    train_network as train_network,
    unseen_samples as unseen_samples,
)
from .exits.training import Epoch as Epoch, Schedule as Schedule, train_jointly as train_jointly
from .imports.link_tools import Rates as Rates, read_iperf3 as read_iperf3, read_ping as read_ping
from .imports.portend import read_portend as read_portend
from .imports.scission import (
    Machine as Machine,
    file_name as file_name,
    profiles_of as profiles_of,
    read_benchmarks as read_benchmarks,
)
from .links.listener import Listener as Listener
from .links.meter import LinkFigures as LinkFigures, Spread as Spread, measure_link as measure_link
from .models.backbones import backbone as backbone
from .models.blocks import Block as Block, find_blocks as find_blocks
from .models.cut import CutNetwork as CutNetwork
from .models.exporting.from_keras import export_keras as export_keras
from .models.loader import (
    LoadedModel as LoadedModel,
    load_keras as load_keras,
    load_model as load_model,
    start_for as start_for,
)
from .models.onnx.aliases import common_module as common_module
from .models.onnx.annotated import LAYER_SETTING as LAYER_SETTING, annotate_file as annotate_file
from .models.onnx.graph_onnx import OnnxModel as OnnxModel
from .models.onnx.options import OnnxOptions as OnnxOptions, is_onnx as is_onnx
from .models.onnx.reading import onnx_outputs as onnx_outputs
from .models.piece_files import (
    PieceCall as PieceCall,
    PieceTensor as PieceTensor,
    open_piece as open_piece,
    piece_tensor as piece_tensor,
    write_piece as write_piece,
)
from .models.runtime import start_framework as start_framework
from .profile.files import (
    SIZE_LIMIT as SIZE_LIMIT,
    load_profile as load_profile,
    profile_text as profile_text,
    recorded as recorded,
    recorded_file as recorded_file,
    save_profile as save_profile,
)
from .profile.merging import merge_files as merge_files
from .profile.samples import (
    Samples as Samples,
    SampleSplit as SampleSplit,
    check_split as check_split,
    load_samples as load_samples,
    samples_of as samples_of,
    save_samples as save_samples,
)
from .profile.schema import FORMAT as FORMAT, Codec as Codec, Device as Device, Exits as Exits, Profile as Profile
from .record.campaign import Step as Step, record_models as record_models
from .record.preflight import prepared as prepared
from .record.record_exits import sample_files as sample_files
from .record.remote import record_remotely as record_remotely
from .record.settings import Settings as Settings, check_settings as check_settings, effort_for as effort_for
from .record.subject import open_cut as open_cut
from .timing.stress import parse_stress as parse_stress, stressed as stressed
from .timing.stress_curves import parse_levels as parse_levels
from .timing.timing import Effort as Effort, Runs as Runs
from .timing.waiting import waiting_clock as waiting_clock
